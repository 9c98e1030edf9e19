# The cluster.

variable "name" {
  description = "Name of the cluster and prefix of the names of its resources."
  type        = string
  default     = "neuron-gateway"

  validation {
    condition     = length(var.name) >= 3 && length(var.name) <= 28 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name))
    error_message = "name must have 3 to 28 lower-case letters, digits or single hyphens, begin with a letter and not end with a hyphen: it becomes part of the names of buckets, roles and Valkey."
  }
}

variable "region" {
  description = "AWS region; install.sh passes AWS_REGION."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the code of an AWS region, for example us-west-2."
  }
}

variable "zones" {
  description = "Availability zones. Empty: zones that offer inf2 first, then others. For an existing cluster, install.sh keeps its zones."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.zones) == 0 || (length(var.zones) >= 2 && length(var.zones) <= 3)
    error_message = "zones must be empty or name two or three availability zones: EKS needs two."
  }
  validation {
    condition     = alltrue([for zone in var.zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))])
    error_message = "zones must hold the names of availability zones, for example us-west-2a."
  }
}

variable "zone_count" {
  description = "Number of zones where zones is empty."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zone_count)
    error_message = "zone_count must be 2 or 3: EKS needs two zones, and a fourth adds nothing."
  }
}

variable "eks_version" {
  description = "Kubernetes version of EKS."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.3[456]$", var.eks_version))
    error_message = "eks_version must be 1.34, 1.35 or 1.36: the pinned charts support these."
  }
}

variable "public_access_cidrs" {
  description = "Networks that may reach the API server, for example your own address with /32: curl -s https://checkip.amazonaws.com"
  type        = list(string)

  validation {
    condition     = length(var.public_access_cidrs) > 0
    error_message = "public_access_cidrs must name at least your own network, for example [\"203.0.113.7/32\"]: without one, Terraform cannot install the charts."
  }
  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr))])
    error_message = "public_access_cidrs must hold IPv4 networks such as 203.0.113.7/32."
  }
  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : try(tonumber(split("/", cidr)[1]), 0) >= 8])
    error_message = "public_access_cidrs must not open the API server to the whole internet: use networks of /8 or smaller."
  }
}

variable "admin_principal_arns" {
  description = "Further IAM roles or users with full access to the cluster; its creator has it already."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.admin_principal_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", arn))])
    error_message = "admin_principal_arns must hold ARNs of IAM roles or users, for example arn:aws:iam::123456789012:role/admin."
  }
}

variable "control_plane_logs" {
  description = "Logs of the control plane that go to CloudWatch, for $0.50 per GB; api and audit are the largest."
  type        = list(string)
  default     = ["audit", "authenticator"]

  validation {
    condition     = alltrue([for kind in var.control_plane_logs : contains(["api", "audit", "authenticator", "controllerManager", "scheduler"], kind)])
    error_message = "control_plane_logs must hold kinds of logs that EKS has: api, audit, authenticator, controllerManager, scheduler."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the logs of the control plane."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 180, 365], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's periods: 1, 3, 5, 7, 14, 30, 60, 90, 180 or 365."
  }
}

variable "tags" {
  description = "Tags of every resource that Terraform creates."
  type        = map(string)
  default     = {}
}

# The core nodes.

variable "core_instance_type" {
  description = "Instance type of the core nodes, which run Karpenter and the operators."
  type        = string
  default     = "m6i.large"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.core_instance_type)) && !can(regex("^[a-z]+[0-9]+g", var.core_instance_type))
    error_message = "core_instance_type must be an x86 instance type such as m6i.large: images and AMI are not built for Graviton."
  }
}

variable "core_node_count" {
  description = "Number of core nodes."
  type        = number
  default     = 2

  validation {
    condition     = var.core_node_count >= 2 && var.core_node_count <= 5 && floor(var.core_node_count) == var.core_node_count
    error_message = "core_node_count must be 2 to 5: two replicas of Karpenter need two nodes, and Karpenter adds all others."
  }
}

# Charts in the cluster. The versions are also in ../versions.env.

variable "karpenter_version" {
  description = "Version of Karpenter and of its chart."
  type        = string
  default     = "1.14.1"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.karpenter_version))
    error_message = "karpenter_version must be an exact version such as 1.14.1."
  }
  validation {
    condition = try(
      tonumber(split(".", var.karpenter_version)[1]) >= { "1.34" = 6, "1.35" = 9, "1.36" = 13 }[var.eks_version], true
    )
    error_message = "karpenter_version is too old for eks_version: EKS 1.34 needs Karpenter 1.6, EKS 1.35 needs 1.9 and EKS 1.36 needs 1.13."
  }
}

variable "kuberay_version" {
  description = "Version of the KubeRay operator and of its chart."
  type        = string
  default     = "1.7.0"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.kuberay_version))
    error_message = "kuberay_version must be an exact version such as 1.7.0."
  }
  validation {
    condition     = try(tonumber(split(".", var.kuberay_version)[1]) >= 5, true)
    error_message = "kuberay_version must be 1.5.0 or newer: older ones do not pass NeuronCores to Ray's autoscaler."
  }
}

variable "neuron_chart_version" {
  description = "Version of the Neuron chart, which installs the device plugin."
  type        = string
  default     = "1.3.0"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.neuron_chart_version))
    error_message = "neuron_chart_version must be an exact version such as 1.3.0."
  }
}

variable "load_balancer_controller_chart_version" {
  description = "Version of the chart of the AWS Load Balancer Controller."
  type        = string
  default     = "1.14.0"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.load_balancer_controller_chart_version))
    error_message = "load_balancer_controller_chart_version must be an exact version such as 1.14.0."
  }
}

variable "monitoring_chart_version" {
  description = "Version of the chart kube-prometheus-stack."
  type        = string
  default     = "82.14.1"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.monitoring_chart_version))
    error_message = "monitoring_chart_version must be an exact version such as 82.14.1."
  }
}

variable "enable_load_balancer_controller" {
  description = "Install the controller that creates an ALB for an Ingress."
  type        = bool
  default     = true
}

variable "enable_monitoring" {
  description = "Install Prometheus and Grafana."
  type        = bool
  default     = true
}

variable "monitoring_values" {
  description = "File with more values of the chart kube-prometheus-stack, such as Alertmanager's receivers; see alertmanager.example.yaml."
  type        = string
  default     = null

  validation {
    condition     = var.monitoring_values == null || can(keys(yamldecode(file(var.monitoring_values))))
    error_message = "monitoring_values must be the path of a YAML file with values of the chart, for example alertmanager.yaml."
  }
}

variable "enable_image_build" {
  description = "Create a CodeBuild project, with which images.sh --build builds the images in AWS. It costs nothing between builds."
  type        = bool
  default     = false
}

variable "enable_valkey" {
  description = "Create a Valkey on ElastiCache, with which Ray's head restarts without losing its cluster."
  type        = bool
  default     = false
}

variable "valkey_node_type" {
  description = "Node type of Valkey."
  type        = string
  default     = "cache.t4g.small"

  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.valkey_node_type))
    error_message = "valkey_node_type must be a node type of ElastiCache such as cache.t4g.small."
  }
}

variable "valkey_password" {
  description = "Password of Valkey, the same as in the Secret valkey. Set TF_VAR_valkey_password rather than a file; the state contains it."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = !var.enable_valkey || can(regex("^[A-Za-z0-9]{16,128}$", var.valkey_password))
    error_message = "valkey_password must have 16 to 128 letters and digits when enable_valkey is true, for example from: openssl rand -hex 16"
  }
}
