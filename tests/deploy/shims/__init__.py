"""Stand-ins for aws, kubectl, helm and terraform, and a folder in which the scripts use them."""
