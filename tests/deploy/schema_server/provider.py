"""One stand-in provider: it answers Terraform from a schema alone."""

from typing import Any

from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.deploy.schema_server import schema
from tests.deploy.schema_server.values import (
    UNKNOWN,
    decode,
    encode,
    invent,
    is_left_open,
    seed_of,
    visit,
)

Schema = dict[str, Any]


class Provider:
    """Answers the calls of Terraform's plugin protocol."""

    def __init__(self, described: Schema) -> None:
        self._described = described
        configuration = described.get("provider") or {"attributes": {}, "blocks": {}}
        configuration["attributes"].pop("alias", None)  # Terraform's own, in every provider
        answer = pb.GetProviderSchema.Response(provider=schema.message(configuration))
        for name, block in described["resources"].items():
            answer.resource_schemas[name].CopyFrom(schema.message(block))
        for name, block in described["data_sources"].items():
            answer.data_source_schemas[name].CopyFrom(schema.message(block))
        self._schema = answer

    def schemas(self, request: Any) -> Any:
        """Return the resources and data sources."""
        return self._schema

    def validate(self, request: Any) -> Any:
        """Refuse a configuration that sets what only the provider can compute."""
        out = pb.ValidateResourceConfig.Response()

        def refuse(attribute: dict[str, Any], value: Any, path: str) -> Any:
            settable = attribute["optional"] or attribute["required"]
            if value is not None and attribute["computed"] and not settable:
                note = out.diagnostics.add(severity=1, summary=f"{path[1:]} cannot be set")
                note.attribute.steps.add(attribute_name=path[1:].split(".")[0])
            return value

        visit(self._resource(request), decode(request.config), refuse)
        return out

    def upgrade(self, request: Any) -> Any:
        """Return the state as it was stored."""
        state = pb.DynamicValue(json=request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=state)

    def read(self, request: Any) -> Any:
        """Return every resource as it is in the state."""
        return pb.ReadResource.Response(new_state=request.current_state)

    def read_data(self, request: Any) -> Any:
        """Return generated values for a data source."""
        config = decode(request.config)
        seed = seed_of(request.type_name, config)
        block = self._described["data_sources"][request.type_name]
        return pb.ReadDataSource.Response(state=encode(visit(block, config, _inventing(seed))))

    def plan(self, request: Any) -> Any:
        """Return a plan in which unset computed attributes are unknown."""
        proposed = decode(request.proposed_new_state)
        if proposed is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        if decode(request.prior_state) is None:
            proposed = visit(self._resource(request), proposed, _opening)
        return pb.PlanResourceChange.Response(planned_state=encode(proposed))

    def apply(self, request: Any) -> Any:
        """Return generated values for unknown attributes."""
        planned = decode(request.planned_state)
        if planned is None:
            return pb.ApplyResourceChange.Response(new_state=request.planned_state)
        seed = seed_of(request.type_name, decode(request.config))
        state = visit(self._resource(request), planned, _settling(seed))
        return pb.ApplyResourceChange.Response(new_state=encode(state))

    def _resource(self, request: Any) -> schema.Block:
        block: schema.Block = self._described["resources"][request.type_name]
        return block


def _inventing(seed: str) -> Any:
    return lambda attribute, value, path: (
        invent(attribute["type"], path, seed) if is_left_open(attribute, value) else value
    )


def _opening(attribute: dict[str, Any], value: Any, path: str) -> Any:
    return UNKNOWN if is_left_open(attribute, value) else value


def _settling(seed: str) -> Any:
    return lambda attribute, value, path: (
        invent(attribute["type"], path, seed) if value == UNKNOWN else value
    )


def servicer(provider: Provider) -> Any:
    """Return a gRPC servicer for the provider."""
    answers = {
        "GetMetadata": lambda request: pb.GetMetadata.Response(),
        "GetProviderSchema": provider.schemas,
        "ValidateProviderConfig": lambda request: pb.ValidateProviderConfig.Response(),
        "ValidateResourceConfig": provider.validate,
        "ValidateDataResourceConfig": lambda request: pb.ValidateDataResourceConfig.Response(),
        "ConfigureProvider": lambda request: pb.ConfigureProvider.Response(),
        "StopProvider": lambda request: pb.StopProvider.Response(),
        "UpgradeResourceState": provider.upgrade,
        "ReadResource": provider.read,
        "ReadDataSource": provider.read_data,
        "PlanResourceChange": provider.plan,
        "ApplyResourceChange": provider.apply,
    }
    out = rpc.ProviderServicer()
    for name, answer in answers.items():
        setattr(out, name, lambda request, context, answer=answer: answer(request))
    return out
