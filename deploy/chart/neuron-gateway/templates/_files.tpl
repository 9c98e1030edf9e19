{{/* The generated files of this release, as a YAML list of paths. */}}
{{- define "neuron-gateway.paths" -}}
- files/base.yaml
- files/sizes/{{ .Values.size }}.yaml
{{- range $name, $component := .Values.components }}
{{- $path := printf "files/components/%s.yaml" $name }}
{{- if and $component.enabled ($.Files.Get $path) }}
- {{ $path }}
{{- end }}
{{- end }}
{{- end }}

{{/* The text of a file (path) with the release's namespace, images, Secret, and the component's parameters. */}}
{{- define "neuron-gateway.file" -}}
{{- $text := .root.Files.Get .path }}
{{- $values := .root.Values }}
{{- $text = regexReplaceAll "(\\bnamespace: |matchNames:\\n *- )neuron-gateway\\b" $text (printf "${1}%s" .root.Release.Namespace) }}
{{- $text = regexReplaceAllLiteral "secretName: gateway-keys\\b" $text (printf "secretName: %s" $values.keysSecret) }}
{{- range $name := list "gateway" "neuron" "webui" }}
{{- $registry := $values.image.registry | empty | not | ternary (printf "%s/" $values.image.registry) "${1}" }}
{{- $version := $values.image.tag | empty | not | ternary (printf ":%s" $values.image.tag) "${2}" }}
{{- with index $values.image.digests $name }}{{ $version = printf "@%s" . }}{{ end }}
{{- $text = regexReplaceAll (printf "image: (\\S+/)%s([:@]\\S+)" $name) $text (printf "image: %s%s%s" $registry $name $version) }}
{{- end }}
{{- $component := trimSuffix ".yaml" (base .path) }}
{{- range $key, $value := omit (get $values.components $component | default dict) "enabled" }}
{{- $text = regexReplaceAllLiteral (printf "\\b%s\\b" (snakecase $key | upper)) $text (toJson $value) }}
{{- end }}
{{- $text }}
{{- end }}

{{/* Labels of an object, and annotations of the service account. */}}
{{- define "neuron-gateway.metadata" -}}
{{- $metadata := .object.metadata }}
{{- with .root.Values.labels }}
{{- $_ := set $metadata "labels" (mergeOverwrite (dict) ($metadata.labels | default dict) .) }}
{{- end }}
{{- if and (eq .object.kind "ServiceAccount") (eq $metadata.name "neuron-gateway") }}
{{- with .root.Values.serviceAccount.annotations }}
{{- $_ := set $metadata "annotations" . }}
{{- end }}
{{- end }}
{{- if eq .object.kind "Deployment" }}
{{- include "neuron-gateway.pull-secrets" (dict "root" .root "pod" .object.spec.template.spec) }}
{{- end }}
{{- end }}

{{- define "neuron-gateway.pull-secrets" -}}
{{- $secrets := list }}
{{- range .root.Values.imagePullSecrets }}
{{- $secrets = append $secrets (dict "name" .) }}
{{- end }}
{{- with $secrets }}
{{- $_ := set $.pod "imagePullSecrets" . }}
{{- end }}
{{- end }}
