# The default storage class: gp3, encrypted. A chart of one file, so that neither the Kubernetes
# provider nor another command is needed. The version is set, since without it the provider reads the
# cluster, which does not exist at the first plan.
locals {
  storage_class = yamldecode(file("${path.module}/storage-class/Chart.yaml"))
}

resource "helm_release" "storage_class" {
  name            = "storage-class"
  chart           = "${path.module}/storage-class"
  version         = local.storage_class.version
  namespace       = "kube-system"
  upgrade_install = true
}

resource "helm_release" "kuberay" {
  name             = "kuberay-operator"
  repository       = "https://ray-project.github.io/kuberay-helm/"
  chart            = "kuberay-operator"
  version          = var.kuberay_version
  namespace        = "kuberay-operator"
  create_namespace = true
  timeout          = 600
  atomic           = true
  upgrade_install  = true
  values           = [file("${var.values_folder}/kuberay-operator.yaml")]
}

resource "helm_release" "neuron" {
  name            = "neuron-helm-chart"
  repository      = "oci://public.ecr.aws/neuron"
  chart           = "neuron-helm-chart"
  version         = var.neuron_chart_version
  namespace       = "kube-system"
  timeout         = 600
  atomic          = true
  upgrade_install = true
  values          = [file("${var.values_folder}/neuron-helm-chart.yaml")]
}

resource "helm_release" "monitoring" {
  count = var.enable_monitoring ? 1 : 0

  # The release has the name of its chart: dashboards and Ray's head expect the services
  # kube-prometheus-stack-prometheus and kube-prometheus-stack-grafana.
  name             = "kube-prometheus-stack"
  repository       = "https://prometheus-community.github.io/helm-charts"
  chart            = "kube-prometheus-stack"
  version          = var.monitoring_chart_version
  namespace        = "monitoring"
  create_namespace = true
  timeout          = 900
  atomic           = true
  upgrade_install  = true
  values = concat(
    [file("${var.values_folder}/kube-prometheus-stack.yaml")],
    var.monitoring_values == null ? [] : [file(var.monitoring_values)],
  )

  depends_on = [helm_release.storage_class]
}
