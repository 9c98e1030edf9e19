"""What `neuron-gateway doctor --cluster` looks for in a Kubernetes cluster, through `kubectl`.

`doctor` imports `examine_cluster`. The names of pools, labels, Secrets and ConfigMaps are those of
`deploy/k8s` and `deploy/karpenter`; nothing here changes the cluster or reads a Secret's content.
"""

from gateway.commands.cluster.examination import examine_cluster
from gateway.commands.cluster.names import NAMESPACE

__all__ = ["NAMESPACE", "examine_cluster"]
