mock_provider "aws" { source = "./tests/mocks" }
mock_provider "helm" {}

variables {
  region              = "us-west-2"
  public_access_cidrs = ["203.0.113.7/32"]
}

run "outputs_that_others_rely_upon" {
  command = plan

  assert {
    condition     = output.cluster_name == "neuron-gateway" && output.region == "us-west-2"
    error_message = "name or region changed"
  }
  assert {
    condition     = output.configure_kubectl == "aws eks update-kubeconfig --region us-west-2 --name neuron-gateway"
    error_message = "configure_kubectl is another command"
  }
  assert {
    condition     = output.registry == "123456789012.dkr.ecr.us-west-2.amazonaws.com/neuron-gateway"
    error_message = "registry is not the prefix of the images"
  }
  assert {
    condition     = output.model_store == "neuron-gateway-models-123456789012-us-west-2"
    error_message = "cleanup.sh uses another name for the bucket"
  }
  assert {
    condition     = output.grafana_port_forward == "kubectl --namespace monitoring port-forward service/kube-prometheus-stack-grafana 3000:80"
    error_message = "grafana_port_forward is another command"
  }
}

run "zones_with_inf2_come_first" {
  command = plan

  assert {
    condition     = output.zones == tolist(["us-west-2b", "us-west-2d", "us-west-2a"])
    error_message = "zones are ${join(", ", output.zones)}"
  }
}

run "written_zones_are_taken" {
  command = plan
  variables { zones = ["us-west-2c", "us-west-2a"] }

  assert {
    condition     = output.zones == tolist(["us-west-2c", "us-west-2a"])
    error_message = "zones were not taken as written"
  }
}

run "fewer_zones" {
  command = plan
  variables { zone_count = 2 }

  assert {
    condition     = output.zones == tolist(["us-west-2b", "us-west-2d"])
    error_message = "zone_count has no effect"
  }
}

run "without_valkey_there_is_no_address" {
  command = apply

  assert {
    condition     = output.valkey_address == null
    error_message = "an address without Valkey"
  }
}

run "with_valkey_there_is_one" {
  command = apply
  variables {
    enable_valkey   = true
    valkey_password = "0123456789abcdef0123"
  }

  assert {
    condition     = startswith(output.valkey_address, "rediss://") && endswith(output.valkey_address, ":6379")
    error_message = "valkey_address is ${output.valkey_address}"
  }
}

run "without_monitoring_there_is_no_grafana" {
  command = plan
  variables { enable_monitoring = false }

  assert {
    condition     = output.grafana_port_forward == null
    error_message = "a command without Grafana"
  }
}
