{{/* Name of everything that is the operator's own: the release's, cut to what a label takes. */}}
{{- define "operator.name" -}}
{{- printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of what is there only while Helm asks whether the release may go. */}}
{{- define "operator.checkName" -}}
{{- printf "%s-check-uninstall" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "operator.clusterScopedCheckName" -}}
{{- printf "%s-%s" .Release.Namespace (include "operator.checkName" .) -}}
{{- end -}}

{{/* Name of what is there once in a cluster. */}}
{{- define "operator.clusterScopedName" -}}
{{- printf "%s-%s" .Release.Namespace (include "operator.name" .) -}}
{{- end -}}

{{/* The operator's own image: by its digest, where that is known. */}}
{{- define "operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Whether pipelines have NetworkPolicies where neither they nor the values say so: not beside Cilium, see there. */}}
{{- define "operator.networkPolicies" -}}
{{- (.Values.networkPolicies).default | default (ternary "None" "Managed" (.Capabilities.APIVersions.Has "cilium.io/v2")) -}}
{{- end -}}

{{/* Whether nodes are watched: unless the values say no. Values of a release from before there was any say nothing. */}}
{{- define "operator.watchesNodes" -}}
{{- if ne (toString .Values.watchNodes) "false" }}true{{ end -}}
{{- end -}}

{{- define "operator.selectorLabels" -}}
app.kubernetes.io/name: assetpipeline-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "operator.labels" -}}
{{ include "operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}
