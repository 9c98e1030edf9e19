{{/* Refuse components that exclude each other. */}}
{{- define "neuron-gateway.check-components" -}}
{{- $names := list }}
{{- range $name, $component := .Values.components }}
{{- if $component.enabled }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- range list
  (list "ingress-alb" "ingress-nginx" "both make the Ingress neuron-gateway")
  (list "new-cluster-upgrade" "incremental-upgrade" "each sets upgradeStrategy")
  (list "ingress-alb" "incremental-upgrade" "it has no Service neuron-gateway-serve-svc")
  (list "ingress-nginx" "incremental-upgrade" "it has no Service neuron-gateway-serve-svc")
  (list "gateway-api" "incremental-upgrade" "it has no Service neuron-gateway-serve-svc")
}}
{{- if and (has (index . 0) $names) (has (index . 1) $names) }}
{{- fail (printf "components.%s and components.%s exclude each other: %s. Enable one." (index . 0) (index . 1) (index . 2)) }}
{{- end }}
{{- end }}
{{- end }}
