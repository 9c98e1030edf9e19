#!/bin/sh
# A streamed answer; -N disables the buffer of curl.
curl -sN "$OPENAI_BASE_URL/chat/completions" \
  -H "Authorization: Bearer $OPENAI_API_KEY" -H 'Content-Type: application/json' -d '{
    "model": "'"${1:-smollm2-135m-instruct}"'", "stream": true,
    "messages": [{"role": "user", "content": "What is a river?"}]}'
