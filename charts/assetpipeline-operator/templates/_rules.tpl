{{/*
What the operator calls where it works, and nothing else: in all namespaces by a ClusterRole, or by a Role in each of
those that it watches. Children go with their pipeline by the cluster's own garbage collection, so that most of them
need no `delete`.
*/}}
{{- define "operator.rules" -}}
- apiGroups: [assetpipeline.dev]
  resources: [assetpipelines, assettenants]
  verbs: [get, list, watch, patch]
- apiGroups: [assetpipeline.dev]
  resources: [assetpipelines/status, assettenants/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch]
# By name, and never listed: the key with which pods sign what they say to pods, one for each pipeline; of those
# that a spec names, whether they are there.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
# By name, and never listed: what tells other people's pods how a pipeline's bucket, queues and topic are called.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, patch]
{{- if include "operator.watchesNodes" . }}
# Where pods run; surplus ones are moved to a zone that has come back.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
{{- end }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
