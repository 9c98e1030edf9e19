{{/* Apply an operation of a JSON patch (operation) to an object, in place: add, replace, remove. */}}
{{- define "neuron-gateway.patch" -}}
{{- $path := .operation.path }}
{{- $keys := splitList "/" (trimPrefix "/" $path) }}
{{- $at := .object }}
{{- $parent := dict }}
{{- $name := "" }}
{{- range initial $keys }}
{{- $key := . | replace "~1" "/" | replace "~0" "~" }}
{{- if and (kindIs "slice" $at) (regexMatch "^[0-9]+$" $key) (lt (int $key) (len $at)) }}
{{- $at = index $at (int $key) }}
{{- else if and (kindIs "map" $at) (hasKey $at $key) }}
{{- $parent = $at }}
{{- $name = $key }}
{{- $at = get $at $key }}
{{- else }}
{{- fail (printf "patches: %s: the RayService has no %s there." $path $key) }}
{{- end }}
{{- end }}
{{- $last := last $keys | replace "~1" "/" | replace "~0" "~" }}
{{- $adds := eq .operation.op "add" }}
{{- $appends := and $adds (eq $last "-") (kindIs "slice" $at) }}
{{- $exists := kindIs "slice" $at | ternary (and (regexMatch "^[0-9]+$" $last) (lt (int $last) (len $at))) (and (kindIs "map" $at) (hasKey $at $last)) }}
{{- if not (or $exists $appends (and $adds (kindIs "map" $at))) }}
{{- fail (printf "patches: %s: the RayService has no %s there." $path $last) }}
{{- end }}
{{- if kindIs "slice" $at }}
{{- $changed := list }}
{{- range $index, $item := $at }}
{{- if eq (toString $index) $last }}
{{- if ne $.operation.op "remove" }}{{ $changed = append $changed $.operation.value }}{{ end }}
{{- if $adds }}{{ $changed = append $changed $item }}{{ end }}
{{- else }}
{{- $changed = append $changed $item }}
{{- end }}
{{- end }}
{{- if $appends }}{{ $changed = append $changed .operation.value }}{{ end }}
{{- $_ := set $parent $name $changed }}
{{- else if eq .operation.op "remove" }}
{{- $_ := unset $at $last }}
{{- else }}
{{- $_ := set $at $last .operation.value }}
{{- end }}
{{- end }}
