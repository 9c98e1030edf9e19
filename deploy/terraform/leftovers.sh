#!/usr/bin/env bash
# Find and delete what Terraform did not create and what may outlive the cluster. Sourced by cleanup.sh.

# Split the text output of the AWS CLI into lines, without None.
lines() { tr -s '[:space:]' '\n' | grep -v -x -e None -e '' || true; }

# Found by VPC, not by tag: the tagging API lists deleted load balancers for hours. In a VPC that existed
# before the cluster are others, too.
load_balancers() {
  local vpc found
  found=$(vpcs) || return 1
  for vpc in $found; do balancers_in "$vpc" || return 1; done
  [ -z "$EXISTING_VPC" ] || balancers_in "$EXISTING_VPC" | of_this_cluster
}

# ARNs are of the load balancer controller, names of the classic load balancers that Kubernetes creates
# without it.
balancers_in() {
  aws elbv2 describe-load-balancers --query "LoadBalancers[?VpcId=='$1'].LoadBalancerArn" --output text | lines || return 1
  aws elb describe-load-balancers --query "LoadBalancerDescriptions[?VPCId=='$1'].LoadBalancerName" --output text | lines
}

# Of the load balancers on standard input print those with the tag of this cluster.
of_this_cluster() {
  local one
  while read -r one; do
    case $one in
    arn:*) aws elbv2 describe-tags --resource-arns "$one" \
      --query "TagDescriptions[?Tags[?Key=='elbv2.k8s.aws/cluster' && Value=='$NAME']].ResourceArn" --output text ;;
    *) aws elb describe-tags --load-balancer-names "$one" \
      --query "TagDescriptions[?Tags[?Key=='kubernetes.io/cluster/$NAME']].LoadBalancerName" --output text ;;
    esac </dev/null | lines || return 1
  done
}

target_groups() {
  aws elbv2 describe-target-groups --query "TargetGroups[?VpcId=='$1'].TargetGroupArn" --output text | lines
}

instances() {
  aws ec2 describe-instances --filters Name=tag-key,Values=karpenter.sh/nodepool \
    "Name=tag:kubernetes.io/cluster/$NAME,Values=owned" \
    Name=instance-state-name,Values=pending,running,stopping,stopped \
    --query 'Reservations[].Instances[].InstanceId' --output text | lines
}

# The core nodes, which Terraform deletes with their node group.
core_instances() {
  aws ec2 describe-instances --filters "Name=tag:eks:cluster-name,Values=$NAME" \
    Name=instance-state-name,Values=pending,running,stopping,stopped \
    --query 'Reservations[].Instances[].InstanceId' --output text | lines
}

# Listed only where it was enabled, since not every role may list it.
valkey() {
  local answer
  case "$STATE $(tfvar enable_valkey)" in
  *aws_elasticache_replication_group* | *true*) ;;
  *) return 0 ;;
  esac
  if answer=$(aws elasticache describe-replication-groups --replication-group-id "$NAME-valkey" \
    --query 'ReplicationGroups[].ReplicationGroupId' --output text 2>&1); then
    printf '%s' "$answer" | lines
    return 0
  fi
  case $answer in *NotFound*) ;; *) return 1 ;; esac
}

launch_templates() {
  aws ec2 describe-launch-templates --filters "Name=tag:kubernetes.io/cluster/$NAME,Values=owned" \
    --query 'LaunchTemplates[].LaunchTemplateId' --output text | lines
}

vpcs() {
  aws ec2 describe-vpcs --filters "Name=tag:neuron-gateway/cluster,Values=$NAME" \
    --query 'Vpcs[].VpcId' --output text | lines
}

# Network interfaces and security groups in the cluster's own VPC.
interfaces() {
  aws ec2 describe-network-interfaces --filters "Name=vpc-id,Values=$1" Name=status,Values=available \
    --query 'NetworkInterfaces[].NetworkInterfaceId' --output text | lines
}

security_groups() {
  local tag
  for tag in elbv2.k8s.aws/cluster "kubernetes.io/cluster/$NAME"; do
    aws ec2 describe-security-groups --filters "Name=vpc-id,Values=$1" "Name=tag-key,Values=$tag" \
      --query 'SecurityGroups[].GroupId' --output text | lines
  done
}

volumes() {
  aws ec2 describe-volumes --filters "Name=tag:neuron-gateway/cluster,Values=$NAME" \
    Name=status,Values=available --query 'Volumes[].VolumeId' --output text | lines
}

log_groups() {
  aws logs describe-log-groups --log-group-name-prefix "/aws/eks/$NAME/" \
    --query 'logGroups[].logGroupName' --output text | lines
}

# The command fails where there is no role, hence no profile.
instance_profiles() {
  {
    aws iam list-instance-profiles-for-role --role-name "karpenterNode-$NAME" \
      --query 'InstanceProfiles[].InstanceProfileName' --output text 2>/dev/null || true
  } | lines
}

nat_gateways() {
  aws ec2 describe-nat-gateways --filter "Name=tag:neuron-gateway/cluster,Values=$NAME" \
    Name=state,Values=pending,available --query 'NatGateways[].NatGatewayId' --output text | lines
}

addresses() {
  aws ec2 describe-addresses --filters "Name=tag:neuron-gateway/cluster,Values=$NAME" \
    --query 'Addresses[].AllocationId' --output text | lines
}

delete_load_balancer() {
  case $1 in
  arn:*) change aws elbv2 delete-load-balancer --load-balancer-arn "$1" ;;
  *) change aws elb delete-load-balancer --load-balancer-name "$1" ;;
  esac
}

delete_instance_profile() {
  change aws iam remove-role-from-instance-profile --instance-profile-name "$1" --role-name "karpenterNode-$NAME"
  change aws iam delete-instance-profile --instance-profile-name "$1"
}

delete_target_group() { change aws elbv2 delete-target-group --target-group-arn "$1"; }
delete_interface() { change aws ec2 delete-network-interface --network-interface-id "$1"; }
delete_security_group() { change aws ec2 delete-security-group --group-id "$1"; }
delete_volume() { change aws ec2 delete-volume --volume-id "$1"; }
delete_log_group() { change aws logs delete-log-group --log-group-name "$1"; }
delete_launch_template() { change aws ec2 delete-launch-template --launch-template-id "$1"; }

# each LIST-COMMAND DELETE-COMMAND [ARGUMENT OF THE LIST]: delete each; continue where one cannot be deleted.
each() {
  local list=$1 delete=$2 one
  shift 2
  for one in $("$list" "$@" || warn "Could not list ${list//_/ }."); do
    "$delete" "$one" || warn "$one is still in use; a further run may remove it."
  done
}

# Delete what prevents the deletion of the VPC.
sweep_network() {
  local vpc
  each load_balancers delete_load_balancer
  for vpc in $(vpcs); do
    each target_groups delete_target_group "$vpc"
    each interfaces delete_interface "$vpc"
    each security_groups delete_security_group "$vpc"
  done
}

# Delete what costs money or conflicts with a new cluster of the same name.
sweep_rest() {
  each volumes delete_volume
  each log_groups delete_log_group
  each launch_templates delete_launch_template
}

# left WHAT PRICE LIST-COMMAND: print one line of the report and set LEFT.
left() {
  local found
  found=$("$3") || found="(could not be listed)"
  [ -n "$found" ] || return 0
  LEFT=yes
  say "  $1, $2 each: $(printf '%s' "$found" | tr '\n' ' ')"
}

cluster_if_any() { [ "$(cluster_status)" = NONE ] || say "$NAME"; }

report_left() {
  LEFT=''
  left "EKS cluster" "\$73 a month" cluster_if_any
  left "instances" "about \$2 an hour and more" instances
  left "core nodes" "about \$70 a month" core_instances
  left "Valkey" "about \$40 a month" valkey
  left "NAT gateways" "\$33 a month" nat_gateways
  left "public addresses" "\$4 a month" addresses
  left "load balancers" "\$17 a month" load_balancers
  left "volumes" "\$0.08 per GB and month" volumes
  left "log groups" "\$0.03 per GB and month" log_groups
  [ -n "$LEFT" ] || say "  Nothing that costs money is left of the cluster."
}

# gigabytes BYTES PRICE: print "213 GB, about $4.90 a month".
gigabytes() {
  awk -v bytes="${1:-0}" -v price="$2" 'BEGIN {
    gb = bytes / 1e9
    printf "%.0f GB, about $%.2f a month", gb, gb * price
  }'
}

# Add up the lines, one for each page of AWS's response, or None.
total() { awk '{ sum += $1 } END { printf "%.0f", sum }'; }

# Bucket names are global: one of another account is not ours.
our_bucket() { aws s3api head-bucket --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" >/dev/null 2>&1; }

bucket_bytes() {
  # shellcheck disable=SC2016 # the backticks are AWS's
  { aws s3api list-objects-v2 --bucket "$BUCKET" --query 'sum(Contents[].Size || `[0]`)' --output text || true; } | total
}

image_bytes() {
  local image
  for image in neuron gateway webui; do
    aws ecr describe-images --repository-name "$NAME/$image" \
      --query 'sum(imageDetails[].imageSizeInBytes)' --output text 2>/dev/null || true
  done | total
}

# The next ./install.sh uses both again, by Terraform's state or by their names.
report_kept() {
  if our_bucket; then
    say "  Kept: s3://$BUCKET, $(gigabytes "$(bucket_bytes)" 0.023) (\$0.023 per GB)"
  fi
  if aws ecr describe-repositories --repository-names "$NAME/neuron" >/dev/null 2>&1; then
    say "  Kept: the images of $NAME, $(gigabytes "$(image_bytes)" 0.10) (\$0.10 per GB)"
  fi
}

# Terraform refuses to delete a bucket or a repository that is not empty.
delete_models() {
  local image
  if our_bucket; then
    change aws s3 rm "s3://$BUCKET" --recursive --only-show-errors || return 1
    change aws s3 rb "s3://$BUCKET" || return 1
  fi
  for image in neuron gateway webui; do
    if aws ecr describe-repositories --repository-names "$NAME/$image" >/dev/null 2>&1; then
      change aws ecr delete-repository --force --repository-name "$NAME/$image" --output text || return 1
    fi
  done
  change destroy_now
}
