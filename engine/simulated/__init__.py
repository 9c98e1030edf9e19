"""A virtual device, and an Engine that runs on it without a model.

`Simulated`, the device, is exported by `engine`. Others import its published latencies from here.
"""

from engine.simulated.profiles import PROFILES, Line, Profile, ProfileName

__all__ = ["PROFILES", "Line", "Profile", "ProfileName"]
