{{/* Put the values into the RayService of a size, and into its Serve config. */}}
{{- define "neuron-gateway.size" -}}
{{- $values := .root.Values }}
{{- $service := dict }}
{{- $config := dict }}
{{- range .objects }}
{{- if eq .kind "RayService" }}{{ $service = . }}{{ else }}{{ $config = . }}{{ end }}
{{- end }}
{{- $group := index $service.spec.rayClusterConfig.workerGroupSpecs 0 }}
{{- $text := include "neuron-gateway.serve-config" (dict "values" $values "group" $group "text" (get $config.data "serve.yaml")) }}
{{- $_ := set $config "data" (dict "serve.yaml" $text) }}
{{- $_ := set $service.spec "serveConfigV2" $text }}
{{- range $name, $component := $values.components }}
{{- range $component.enabled | ternary ($.root.Files.Get (printf "files/patches/%s.yaml" $name) | fromYamlArray) list }}
{{- include "neuron-gateway.patch" (dict "object" $service "operation" .) }}
{{- end }}
{{- end }}
{{- include "neuron-gateway.pod" (dict "root" .root "template" $service.spec.rayClusterConfig.headGroupSpec.template "values" $values.head) }}
{{- include "neuron-gateway.pod" (dict "root" .root "template" $group.template "values" $values.worker) }}
{{- include "neuron-gateway.workers" (dict "values" $values "group" $group) }}
{{- range $values.patches }}
{{- include "neuron-gateway.patch" (dict "object" $service "operation" .) }}
{{- end }}
{{- include "neuron-gateway.check-workers" (dict "components" $values.components "group" $group) }}
{{- include "neuron-gateway.check-config" (dict "text" $text "spec" $service.spec "pod" $group.template.spec) }}
{{- end }}

{{/* Resources, placement and environment of a pod template. */}}
{{- define "neuron-gateway.pod" -}}
{{- $pod := .template.spec }}
{{- $container := index $pod.containers 0 }}
{{- $_ := set $container "resources" (mergeOverwrite $container.resources .values.resources) }}
{{- with .values.env }}{{ $_ := set $container "env" (concat $container.env .) }}{{ end }}
{{- if kindIs "map" .values.nodeSelector }}{{ $_ := set $pod "nodeSelector" .values.nodeSelector }}{{ end }}
{{- if kindIs "slice" .values.tolerations }}{{ $_ := set $pod "tolerations" .values.tolerations }}{{ end }}
{{- include "neuron-gateway.pull-secrets" (dict "root" .root "pod" $pod) }}
{{- end }}

{{/* The number of workers, what Ray is told of them, and the model that they copy. */}}
{{- define "neuron-gateway.workers" -}}
{{- $group := .group }}
{{- $worker := .values.worker }}
{{- if not (kindIs "invalid" $worker.minReplicas) }}
{{- $_ := set $group "minReplicas" $worker.minReplicas }}
{{- $_ := set $group "replicas" $worker.minReplicas }}
{{- end }}
{{- if not (kindIs "invalid" $worker.maxReplicas) }}{{ $_ := set $group "maxReplicas" $worker.maxReplicas }}{{ end }}
{{- with $worker.resources.limits }}
{{- with .cpu }}{{ $_ := set $group.resources "CPU" (toString .) }}{{ end }}
{{- end }}
{{- if .values.modelFolder }}
{{- range $container := $group.template.spec.initContainers }}
{{- range $variable := $container.env }}
{{- if eq $variable.name "MODEL" }}{{ $_ := set $variable "value" $.values.modelFolder }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The text of the Serve config: the size's, with serve.args merged and replicas for the workers, or serve.config. */}}
{{- define "neuron-gateway.serve-config" -}}
{{- $serve := .values.serve }}
{{- $worker := .values.worker }}
{{- $scaled := not (and (kindIs "invalid" $worker.minReplicas) (kindIs "invalid" $worker.maxReplicas)) }}
{{- if $serve.config }}
{{- $serve.config }}
{{- else if or $serve.args $scaled }}
{{- $config := fromYaml .text }}
{{- $args := (index $config.applications 0).args }}
{{- if $scaled }}
{{- $model := index $args.models 0 }}
{{- $replicas := $model.replicas | default (dict "min" 1 "max" 1) }}
{{- $least := int .group.minReplicas }}
{{- $most := int .group.maxReplicas }}
{{- $min := div (mul (int $replicas.min) (kindIs "invalid" $worker.minReplicas | ternary $least (int $worker.minReplicas))) $least }}
{{- $max := div (mul (int $replicas.max) (kindIs "invalid" $worker.maxReplicas | ternary $most (int $worker.maxReplicas))) $most }}
{{- $_ := set $model "replicas" (dict "min" $min "max" $max) }}
{{- end }}
{{- $_ := mergeOverwrite $args $serve.args }}
{{- toYaml $config }}
{{- else }}
{{- .text }}
{{- end }}
{{- end }}
