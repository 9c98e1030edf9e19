"""Stand-ins for aws, kubectl, helm and terraform, and a place to rehearse the scripts in."""
