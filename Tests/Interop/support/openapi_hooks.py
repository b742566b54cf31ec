"""What a fuzzer must leave alone: it would cut off the branch that it sits on, or listen for ever."""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    if operation == "events":
        case.query = {**(case.query or {}), "follow": "false"}
    if operation == "revokeToken" and str((case.path_parameters or {}).get("id")) == "1":
        case.path_parameters["id"] = 1_000_001  # its own
