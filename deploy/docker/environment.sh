# Read by login shells (/etc/profile.d) and by other shells (BASH_ENV): KubeRay starts Ray in either.
case ":$PATH:" in
  *:/opt/venv/bin:*) ;;
  *) export PATH="/opt/venv/bin:$PATH" ;;
esac
# The device plugin sets "0-3", which Ray would read as one core: it expects "0,1,2,3".
case "${NEURON_RT_VISIBLE_CORES:-}" in
  *-*)
    NEURON_RT_VISIBLE_CORES="$(printf '%s\n' "$NEURON_RT_VISIBLE_CORES" | tr , '\n' \
      | while IFS=- read -r first last; do seq "$first" "${last:-$first}"; done | paste -sd, -)"
    export NEURON_RT_VISIBLE_CORES
    ;;
esac
