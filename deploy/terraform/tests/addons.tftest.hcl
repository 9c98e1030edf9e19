mock_provider "aws" { source = "./tests/mocks" }
mock_provider "helm" {}

variables {
  name                                   = "gw"
  cluster_name                           = "gw"
  region                                 = "us-west-2"
  partition                              = "aws"
  vpc_id                                 = "vpc-1"
  subnet_ids                             = ["subnet-a", "subnet-b"]
  security_group_id                      = "sg-1"
  values_folder                          = "./helm-values"
  kuberay_version                        = "1.7.0"
  neuron_chart_version                   = "1.3.0"
  load_balancer_controller_chart_version = "1.14.0"
  monitoring_chart_version               = "82.14.1"
  enable_load_balancer_controller        = true
  enable_monitoring                      = true
  monitoring_values                      = null
  enable_valkey                          = false
  valkey_node_type                       = "cache.t4g.small"
  valkey_password                        = null
}

run "everything" {
  command = plan
  module { source = "./modules/addons" }

  assert {
    condition     = helm_release.kuberay.namespace == "kuberay-operator" && helm_release.kuberay.version == "1.7.0"
    error_message = "network policies let another namespace in"
  }
  assert {
    condition     = helm_release.storage_class.version == "1.0.0"
    error_message = "the provider would read a cluster that does not exist yet"
  }
  assert {
    condition     = yamldecode(helm_release.kuberay.values[0]).resources.limits.cpu == "1"
    error_message = "the operator may take a whole core node"
  }
  assert {
    condition     = !yamldecode(helm_release.monitoring[0].values[0]).kubeProxy.enabled
    error_message = "an alert about kube-proxy would always fire"
  }
  assert {
    condition     = helm_release.monitoring[0].namespace == "monitoring" && helm_release.monitoring[0].name == "kube-prometheus-stack"
    error_message = "Ray's head looks for Prometheus elsewhere"
  }
  assert {
    condition     = !yamldecode(helm_release.neuron.values[0]).scheduler.enabled
    error_message = "the scheduler extension is on"
  }
  assert {
    condition = {
      for setting in helm_release.load_balancer[0].set : setting.name => setting.value
    } == { clusterName = "gw", region = "us-west-2", vpcId = "vpc-1" }
    error_message = "the load balancer controller has other values"
  }
  assert {
    condition     = length(aws_elasticache_replication_group.valkey) == 0
    error_message = "Valkey is created by default"
  }
}

run "the_load_balancer_controller_keeps_to_its_cluster" {
  command = plan
  module { source = "./modules/addons" }

  assert {
    condition = alltrue([
      for statement in jsondecode(output.load_balancer_policies["change"]).Statement :
      contains(keys(statement), "Condition") || statement.Resource != "*"
    ])
    error_message = "it may change load balancers of other clusters"
  }
  assert {
    condition = alltrue([
      for action in flatten([for s in jsondecode(output.load_balancer_policies["read"]).Statement : s.Action]) :
      can(regex("^[a-z0-9]+:(Describe|Get|List)", action))
    ])
    error_message = "the reading statement allows changes"
  }
}

run "without_options" {
  command = plan
  module { source = "./modules/addons" }
  variables {
    enable_load_balancer_controller = false
    enable_monitoring               = false
  }

  assert {
    condition     = length(helm_release.load_balancer) == 0 && length(aws_iam_role.load_balancer) == 0
    error_message = "parts of the load balancer controller are left"
  }
  assert {
    condition     = length(helm_release.monitoring) == 0
    error_message = "monitoring is installed although disabled"
  }
}

run "with_receivers_of_alerts" {
  command = plan
  module { source = "./modules/addons" }
  variables { monitoring_values = "./alertmanager.example.yaml" }

  assert {
    condition     = yamldecode(helm_release.monitoring[0].values[1]).alertmanager.config.route.receiver == "slack"
    error_message = "alerts go nowhere"
  }
}

run "with_valkey" {
  command = plan
  module { source = "./modules/addons" }
  variables {
    enable_valkey   = true
    valkey_password = "0123456789abcdef0123"
  }

  assert {
    condition     = aws_elasticache_replication_group.valkey[0].engine == "valkey" && aws_elasticache_replication_group.valkey[0].automatic_failover_enabled
    error_message = "the head's tables would be lost with one machine"
  }
  assert {
    condition     = aws_elasticache_replication_group.valkey[0].transit_encryption_enabled && aws_elasticache_replication_group.valkey[0].at_rest_encryption_enabled
    error_message = "Valkey is not encrypted"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.valkey[0].referenced_security_group_id == "sg-1" && aws_vpc_security_group_ingress_rule.valkey[0].from_port == 6379
    error_message = "others than the nodes can reach Valkey"
  }
}
