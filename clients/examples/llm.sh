#!/bin/sh
# The llm command: it reads the models of other servers from a file.
set -eu
folder=${LLM_USER_PATH:-$(mktemp -d)}
export LLM_USER_PATH="$folder"
model=${1:-smollm2-135m-instruct}
printf -- '- model_id: gateway\n  model_name: %s\n  api_base: %s\n' "$model" "$OPENAI_BASE_URL" \
  > "$folder/extra-openai-models.yaml"
llm -m gateway --key "$OPENAI_API_KEY" 'What is a river?'
