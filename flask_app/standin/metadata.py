"""EntityDefinitions: the table's definition by the Web API, with $select, $filter and $expand. No paging.

After the published page on querying table definitions; what is asked of choices is example G11.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .definitions import CRM, Definition, attribute, entity, metadata_id, option_set, type_name
from .filters import compile_filter
from .query import check_options
from .schema import TABLE, Column
from .wire import ApiError, Request, Response, bad_query, unknown_property, unknown_segment

DEFINITIONS = r"EntityDefinitions"
_OPTIONS = {"$select", "$filter", "$expand"}
_CHOICES = ("OptionSet", "GlobalOptionSet")
_RELATED = ("Keys", "OneToManyRelationships", "ManyToOneRelationships", "ManyToManyRelationships")
_KEY = re.compile(r"LogicalName='([^']*)'|([0-9a-fA-F-]{36})|'([^']*)'")


@dataclass(frozen=True)
class Wish:
    """What an answer shall hold: properties ($select; None for all), a filter, navigations ($expand)."""

    select: tuple[str, ...] | None
    keep: str | None
    expand: dict[str, "Wish"]


def entities(request: Request, _match: "re.Match[str]") -> Response:
    """Answer the list of tables: the one, if the filter keeps it."""
    wish = _wish(request)
    found = _filtered([entity()], wish, f"{CRM}EntityMetadata")
    return _listed(request, "EntityDefinitions", [_entity_shown(request, one, wish) for one in found], wish)


def one_entity(request: Request, match: "re.Match[str]") -> Response:
    """Answer the definition of one table."""
    _check_entity(match["entity"])
    wish = _wish(request)
    return _single(request, "EntityDefinitions", _entity_shown(request, entity(), wish), wish)


def related(request: Request, match: "re.Match[str]") -> Response:
    """Answer the table's keys or relationships: it has none."""
    _check_entity(match["entity"])
    return _listed(request, f"EntityDefinitions({metadata_id(TABLE)})/{match['related']}", [], _wish(request))


def attributes(request: Request, match: "re.Match[str]") -> Response:
    """Answer the table's columns, those of one type where the address casts to it."""
    _check_entity(match["entity"])
    wish = _wish(request)
    cast = match["cast"]
    columns = [column for column in request.columns.values() if cast in (None, type_name(column))]
    definitions = [_definition(request, column) for column in columns]
    kept = {one["LogicalName"] for one in _filtered(definitions, wish, f"{CRM}AttributeMetadata")}
    shown = [_attribute_shown(request, column, wish, cast) for column in columns if column.name in kept]
    return _listed(request, _attributes_path(cast), shown, wish)


def one_attribute(request: Request, match: "re.Match[str]") -> Response:
    """Answer one column."""
    column, cast = _column(request, match)
    wish = _wish(request)
    return _single(request, _attributes_path(cast), _attribute_shown(request, column, wish, cast), wish)


def choices(request: Request, match: "re.Match[str]") -> Response:
    """Answer the choices of one column."""
    column, cast = _column(request, match)
    wish = _wish(request)
    path = f"EntityDefinitions('{TABLE}')/Attributes({metadata_id(column.name)})/{CRM}{cast}/OptionSet"
    return _single(request, path, _selected(option_set(column), wish.select), wish)


def metadata_changes(request: Request, _match: "re.Match[str]") -> Response:
    """Answer RetrieveMetadataChanges(Query=@p1): the whole state, for nothing ever changes here."""
    try:
        query = json.loads(request.query.get("@p1", ""))
        found = [one for one in [entity()] if _meets(one, query.get("Criteria"))]
        inner = query.get("AttributeQuery") or {}
        names = (inner.get("Properties") or {}).get("PropertyNames")
        columns = [
            column
            for column in request.columns.values()
            if _meets(_definition(request, column), inner.get("Criteria"))
        ]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise bad_query("The parameter Query cannot be read.") from error
    shown = [{**_definition(request, column), **_navigation(column)} for column in columns]
    tables = [{**one, "Attributes": [_projected(definition, names) for definition in shown]} for one in found]
    name = f"{CRM}RetrieveMetadataChangesResponse"
    payload = {
        "@odata.context": f"{request.api_root}/$metadata#{name}",
        "ServerVersionStamp": "1!01/01/2026 00:00:00",
        "DeletedMetadata": None,
        "EntityMetadata": tables,
    }
    return Response(200, payload)


def _definition(request: Request, column: Column) -> Definition:
    definition = attribute(column, list(request.columns).index(column.name) + 1)
    return {**definition, "IsSecured": column.name in request.secured}


def _projected(definition: Definition, names: list[str] | None) -> Definition:
    wanted = definition.keys() if names is None else {"@odata.type", "MetadataId", "LogicalName", *names}
    return {name: value for name, value in definition.items() if name in wanted}


def _meets(definition: Definition, criteria: Any) -> bool:
    conditions = (criteria or {}).get("Conditions") or []
    return all(definition[one["PropertyName"]] == one["Value"]["Value"] for one in conditions)


def _entity_shown(request: Request, definition: Definition, wish: Wish) -> Definition:
    shown = _selected(definition, wish.select)
    for name, inner in wish.expand.items():
        if name == "Attributes":
            kept = _filtered(
                [_definition(request, column) for column in request.columns.values()],
                inner,
                f"{CRM}AttributeMetadata",
            )
            shown["Attributes"] = [_selected(one, inner.select) for one in kept]
        elif name in _RELATED:
            shown[name] = []
        else:
            raise unknown_property(name, f"{CRM}EntityMetadata")
    return shown


def _attribute_shown(request: Request, column: Column, wish: Wish, cast: str | None) -> Definition:
    shown = _selected(_definition(request, column), wish.select)
    if cast:
        shown.pop("@odata.type", None)
    for name, inner in wish.expand.items():
        if name not in _CHOICES or not cast or not column.choices:
            raise unknown_property(name, f"{CRM}{cast or 'AttributeMetadata'}")
        value = _navigation(column)[name]
        if value is not None:
            path = (
                f"EntityDefinitions({metadata_id(TABLE)})/Attributes({metadata_id(column.name)})/{CRM}{cast}"
            )
            shown[f"{name}@odata.context"] = f"{request.api_root}/$metadata#{path}/{name}/$entity"
            value = _selected(value, inner.select)
        shown[name] = value
    return shown


def _navigation(column: Column) -> Definition:
    return {"OptionSet": option_set(column), "GlobalOptionSet": None} if column.choices else {}


def _selected(definition: Definition, select: tuple[str, ...] | None) -> Definition:
    if select is None:
        return dict(definition)
    for name in select:
        if name not in definition and name not in (
            "Attributes",
            "OptionSet",
            "MaxLength",
            "Format",
            "Precision",
        ):
            raise unknown_property(name, f"{CRM}MetadataBase")
    wanted = {*select, "MetadataId", "@odata.type"}
    return {name: value for name, value in definition.items() if name in wanted}


def _filtered(definitions: list[Definition], wish: Wish, type_of_all: str) -> list[Definition]:
    if wish.keep is None:
        return definitions
    if "startswith(" in wish.keep:
        raise ApiError(501, "0x80060888", "The function startswith is not supported on metadata.")
    flat = [dict(_flattened(definition)) for definition in definitions]
    types = {name: _edm(value) for one in flat for name, value in one.items()}
    keep = compile_filter(wish.keep, types, type_of_all)
    return [
        one for one, shown in zip(definitions, flat, strict=True) if keep({**dict.fromkeys(types), **shown})
    ]


def _flattened(definition: Definition) -> Iterator[tuple[str, Any]]:
    for name, value in definition.items():
        if isinstance(value, dict) and "Value" in value:
            yield f"{name}/Value", value["Value"]
        elif not isinstance(value, dict | list):
            yield name, value


def _edm(value: Any) -> str:
    if isinstance(value, bool):
        return "Edm.Boolean"
    if isinstance(value, int):
        return "Edm.Int32"
    is_id = isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)
    return "Edm.Guid" if is_id else "Edm.String"


def _wish(request: Request) -> Wish:
    check_options(request, _OPTIONS)
    return _read_wish(request.query)


def _read_wish(options: dict[str, str]) -> Wish:
    select = options.get("$select")
    names = None if select is None else tuple(part.strip() for part in select.split(",") if part.strip())
    expand = {}
    for part in _split(options.get("$expand", ""), ","):
        name, _, inside = part.strip().removesuffix(")").partition("(")
        pairs = (option.partition("=") for option in _split(inside, ";"))
        expand[name] = _read_wish({key.strip(): value for key, _, value in pairs})
    return Wish(names, options.get("$filter"), expand)


def _split(text: str, mark: str) -> list[str]:
    """Split at a mark, but not inside parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def _check_entity(key: str) -> None:
    match = _KEY.fullmatch(key)
    if match is None:
        raise bad_query(f"The key in the request URI is not valid for resource '{CRM}EntityMetadata'.")
    if (match[1] or match[2] or match[3] or "").lower() not in (TABLE, metadata_id(TABLE)):
        raise ApiError(404, "0x80040217", f"Could not find an entity with the specified key '{key}'.")


def _column(request: Request, match: "re.Match[str]") -> tuple[Column, str | None]:
    _check_entity(match["entity"])
    key = _KEY.fullmatch(match["attribute"])
    wanted = (key[1] or key[2] or key[3] or "").lower() if key else ""
    for column in request.columns.values():
        if wanted in (column.name, metadata_id(column.name)):
            cast = match["cast"]
            if cast in (None, type_name(column)):
                return column, cast
            raise unknown_segment(f"{CRM}{cast}")
    raise ApiError(
        404, "0x80040217", f"Could not find an attribute with the specified key '{match['attribute']}'."
    )


def _attributes_path(cast: str | None) -> str:
    return f"EntityDefinitions({metadata_id(TABLE)})/Attributes{f'/{CRM}{cast}' if cast else ''}"


def _context(request: Request, path: str, wish: Wish, suffix: str) -> str:
    chosen = [*(wish.select or ()), *wish.expand] if wish.select is not None else []
    names = f"({','.join(chosen)})" if chosen else ""
    return f"{request.api_root}/$metadata#{path}{names}{suffix}"


def _listed(request: Request, path: str, shown: list[Definition], wish: Wish) -> Response:
    return Response(200, {"@odata.context": _context(request, path, wish, ""), "value": shown})


def _single(request: Request, path: str, shown: Definition, wish: Wish) -> Response:
    return Response(200, {"@odata.context": _context(request, path, wish, "/$entity"), **shown})
