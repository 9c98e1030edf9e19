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

{{/* Refuse a number of workers that cannot be. */}}
{{- define "neuron-gateway.check-workers" -}}
{{- $least := int .group.minReplicas }}
{{- $most := int .group.maxReplicas }}
{{- if gt $least $most }}
{{- fail (printf "worker.minReplicas is %d and worker.maxReplicas is %d: set a maximum of %d or more." $least $most $least) }}
{{- end }}
{{- if and (get .components "worker-budget").enabled (lt $least 2) }}
{{- fail "components.worker-budget with one worker would block every drain: set worker.minReplicas to 2 or more." }}
{{- end }}
{{- end }}

{{/* Refuse a Serve config that cannot be reached from outside the pod, asks for no keys, or outlives the pods. */}}
{{- define "neuron-gateway.check-config" -}}
{{- $config := fromYaml .text }}
{{- if not $config.applications }}
{{- fail "serve.config is no Serve config: it has no applications. Give the whole file: --set-file serve.config=FILE" }}
{{- end }}
{{- if ne (dig "http_options" "host" "" $config) "0.0.0.0" }}
{{- fail "serve.config: http_options.host is not 0.0.0.0, so nothing outside the pod could reach it." }}
{{- end }}
{{- $args := (index $config.applications 0).args | default dict }}
{{- if not $args.keys_file }}
{{- fail "The gateway's config has no keys_file: anyone could call. Set it to /etc/neuron-gateway/keys/keys.yaml" }}
{{- end }}
{{- $longest := int (dig "limits" "max_request_seconds" 600 $args) }}
{{- if gt $longest (min .spec.rayClusterDeletionDelaySeconds .pod.terminationGracePeriodSeconds | int) }}
{{- fail (printf "limits.max_request_seconds is %d, longer than rayClusterDeletionDelaySeconds or terminationGracePeriodSeconds of the workers: raise both, and the seconds of preStop, with patches." $longest) }}
{{- end }}
{{- end }}
