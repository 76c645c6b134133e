"""How a function's signature and docstring become the schema that the model reads and the check of what it writes."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType, SimpleNamespace
from typing import Annotated, Any, cast, get_type_hints

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from agentrl.acting.context import Context
from agentrl.errors import ConfigError, ToolError
from agentrl.messages import ToolSchema

_MAX_SHOWN_CHARACTERS = 200  # of what the model wrote, in an error message
_MAX_SHOWN_PROBLEMS = 8

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signature:
    """What a tool's function takes, seen from the model."""

    schema: ToolSchema
    arguments: type[BaseModel]  # its fields are aliased to the parameters, whose names may be any
    context_parameter: str | None  # which gets the Context
    is_method: bool  # the first parameter is self

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them; those that were left out stay out.

        Raises:
            ToolError: They do not fit the schema; the text lists every problem.
        """
        try:
            checked = self.arguments.model_validate(arguments)
        except ValidationError as error:
            raise ToolError(f"{_problems(error)}. Expected: {usage(self.schema)}.") from error
        fields = self.arguments.model_fields
        return {cast(str, fields[name].alias): getattr(checked, name) for name in checked.model_fields_set}


def signature_of(function: FunctionType, name: str) -> Signature:
    """The signature of a function that shall be a tool called `name`.

    Raises:
        ConfigError: It has no docstring, or a parameter that a model cannot fill.
    """
    description, texts = _read_docstring(function, name)
    parameters = _parameters(function, name)
    is_method = bool(parameters) and parameters[0].name == "self"
    asked = parameters[1:] if is_method else parameters
    contexts = [parameter.name for parameter in asked if parameter.annotation is Context]
    if len(contexts) > 1:
        raise ConfigError(f"The tool {name} has {len(contexts)} parameters of type Context; one is enough.")
    shown = [parameter for parameter in asked if parameter.annotation is not Context]
    unknown = sorted(set(texts) - {parameter.name for parameter in asked})
    if unknown:
        raise ConfigError(f"The docstring of the tool {name} describes {', '.join(unknown)}, which it does not take.")
    try:
        arguments = _model(name, shown, texts)
        schema = ToolSchema(name, description, _compact(arguments.model_json_schema()))
    except PydanticUserError as error:
        raise ConfigError(f"The tool {name} has a parameter that JSON cannot carry: {error.message}.") from error
    return Signature(
        schema=schema, arguments=arguments, context_parameter=contexts[0] if contexts else None, is_method=is_method
    )


def usage(schema: ToolSchema) -> str:
    """The call in one line, as `search(query: string, num_passages: integer = 3)`."""
    required = schema.parameters.get("required", ())
    shown = [
        f"{name}: {_type_in_words(entry)}{_default_in_words(entry, optional=name not in required)}"
        for name, entry in schema.parameters.get("properties", {}).items()
    ]
    return f"{schema.name}({', '.join(shown)})"


def _read_docstring(function: FunctionType, name: str) -> tuple[str, dict[str, str]]:
    text = inspect.getdoc(function)
    if not text or not text.strip():
        raise ConfigError(f"The tool {name} has no docstring. Its text is what the model is told: write what it does.")
    parsed = docstring_parser.parse(text, style=docstring_parser.DocstringStyle.GOOGLE)
    described = {entry.arg_name: " ".join((entry.description or "").split()) for entry in parsed.params}
    return (parsed.description or "").strip() or text.strip(), described


def _parameters(function: FunctionType, name: str) -> list[inspect.Parameter]:
    written = inspect.unwrap(function)
    asked = SimpleNamespace(
        __annotations__={key: kind for key, kind in written.__annotations__.items() if key != "return"}
    )
    try:
        kinds = get_type_hints(asked, globalns=written.__globals__, include_extras=True)
    except (NameError, AttributeError) as error:
        raise ConfigError(
            f"The tool {name}: an annotation cannot be read ({error}). Define the type above it."
        ) from error
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=kinds.get(parameter.name, parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    for index, parameter in enumerate(parameters):
        if index == 0 and parameter.name == "self":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigError(f"The tool {name} takes {parameter}; every parameter must be a named one.")
        if parameter.annotation is parameter.empty:
            raise ConfigError(f"The parameter {parameter.name!r} of the tool {name} has no type: annotate it.")
    return parameters


def _model(name: str, parameters: list[inspect.Parameter], texts: Mapping[str, str]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for index, parameter in enumerate(parameters):
        default = ... if parameter.default is parameter.empty else parameter.default
        field = Field(default, alias=parameter.name, description=texts.get(parameter.name) or None)
        fields[f"argument_{index}"] = (Annotated[parameter.annotation, field], default)
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _compact(schema: Schema) -> Schema:
    """The schema in as few tokens as say the same: no titles, no references, no null where leaving out does."""
    definitions: Schema = schema.pop("$defs", {})
    schema.pop("additionalProperties", None)
    recursive = _is_recursive(definitions)
    shown = _shorten(schema, {} if recursive else definitions)
    if recursive:
        shown["$defs"] = {name: _shorten(entry, {}) for name, entry in definitions.items()}
    return shown


def _shorten(schema: Schema, definitions: Schema) -> Schema:
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    if reference in definitions:
        schema = definitions[reference] | {key: value for key, value in schema.items() if key != "$ref"}
    schema = _without_null(schema)
    short: Schema = {"type": schema["type"]} if "type" in schema else {}
    for key, value in schema.items():
        if key == "properties":
            short[key] = {name: _shorten(entry, definitions) for name, entry in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            short[key] = _shorten(cast(Schema, value), definitions)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            short[key] = [_shorten(entry, definitions) for entry in value]
        elif key not in ("title", "discriminator"):
            short[key] = value
    return short


def _without_null(schema: Schema) -> Schema:
    """Optional[X] = None reads X: the model leaves out what it does not want to give."""
    if schema.get("default", ...) is not None:
        return schema
    options = [entry for entry in schema.get("anyOf", ()) if entry != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    if len(options) == 1:
        return options[0] | rest
    return rest | ({"anyOf": options} if options else {})


def _is_recursive(definitions: Schema) -> bool:
    """Whether a definition refers to itself, be it through others."""
    reachable = {name: _references(entry) & set(definitions) for name, entry in definitions.items()}
    for _ in definitions:
        reachable = {name: direct.union(*(reachable[other] for other in direct)) for name, direct in reachable.items()}
    return any(name in names for name, names in reachable.items())


def _references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        entries = cast(Schema, schema)
        direct = {entries["$ref"].removeprefix("#/$defs/")} if isinstance(entries.get("$ref"), str) else set[str]()
        return direct.union(*(_references(value) for value in entries.values()))
    if isinstance(schema, list):
        return set[str]().union(*(_references(value) for value in cast(list[Any], schema)))
    return set()


def _problems(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    shown = [
        f"{'.'.join(str(part) for part in problem['loc'])[:_MAX_SHOWN_CHARACTERS]}: {problem['msg']}"
        + ("" if problem["type"] in ("missing", "extra_forbidden") else f", got {excerpt(problem['input'])}")
        for problem in problems[:_MAX_SHOWN_PROBLEMS]
    ]
    num_more = len(problems) - len(shown)
    return "; ".join(shown) + (f"; and {num_more} more" if num_more else "")


def excerpt(value: Any) -> str:
    """The value as JSON, cut to what an error message can show."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}..."


def _type_in_words(entry: Mapping[str, Any]) -> str:
    if "enum" in entry:
        return " | ".join(json.dumps(value) for value in entry["enum"])
    if "const" in entry:
        return json.dumps(entry["const"])
    if "anyOf" in entry:
        return " | ".join(_type_in_words(option) for option in entry["anyOf"])
    if entry.get("type") == "array" and "items" in entry:
        return f"array of {_type_in_words(entry['items'])}"
    return str(entry.get("type", "any"))


def _default_in_words(entry: Mapping[str, Any], *, optional: bool) -> str:
    if "default" in entry:
        return f" = {json.dumps(entry['default'])}"
    return " = null" if optional else ""
