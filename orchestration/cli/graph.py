"""`medkg graph`: concepts, claims and evidence of the committed documents."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli import graph_projection
from orchestration.cli.graph_alias import alias
from orchestration.cli.graph_evidence import register_evidence, stated_by
from orchestration.cli.graph_export import register_export
from orchestration.cli.help_text import DOCUMENTS, example
from orchestration.cli.output import MOST, AsJson, answer, console, reports_errors, table
from orchestration.contracts import Concept, Statement
from orchestration.operations.graph.evidence import claim_json
from orchestration.settings import Settings

graph = typer.Typer(help="Concepts, claims and evidence of the graph.", no_args_is_help=True)

About = Annotated[str, typer.Argument(help="Key of a concept, e.g. MESH:D003920, or its name.")]
Limit = Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number of rows.")]


@graph.command("entities", epilog=example("medkg graph entities diabetes --kind Condition"))
@reports_errors
def list_entities(
    ctx: typer.Context,
    named: Annotated[str | None, typer.Argument(help="Key, or part of a name.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, e.g. Drug.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List concepts, those of most documents first."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        concepts = data_folder.graph.concepts(named, kind, limit)
    columns = ["concept", "kind", "name", "documents", "mentions", "retracted"]
    answer(
        as_json,
        {"entities": [concept.model_dump() for concept in concepts]},
        lambda: table(None, columns, [_concept_row(each) for each in concepts]),
    )


def _concept_row(concept: Concept) -> list[object]:
    return [
        concept.concept,
        concept.kind,
        concept.name,
        concept.documents,
        concept.mentions,
        _mark(concept.retracted),
    ]


def _mark(retracted: bool) -> str:
    return "retracted" if retracted else ""


@graph.command("claims", epilog=example("medkg graph claims MESH:D003920 --predicate studies"))
@reports_errors
def list_claims(
    ctx: typer.Context,
    about: Annotated[str | None, typer.Argument(help="Key or name of a concept.")] = None,
    predicate: Annotated[str | None, typer.Option(help="Only with this predicate.")] = None,
    document: Annotated[str | None, typer.Option(help="Only of the document of this id.")] = None,
    source: Annotated[str | None, typer.Option(help="Source of that document.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List claims with their documents; `medkg graph evidence` shows where they are stated."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        key = None if document is None else data_folder.graph.document_key(document, source)
        statements = data_folder.graph.claims(about, predicate, key, limit)
    value = [claim_json(statement) for statement in statements]
    columns = ["claim_id", "doc_id", "subject", "predicate", "object", "qualifiers", "by", "retracted"]
    answer(
        as_json,
        {"claims": value},
        lambda: table(None, columns, [_claim_row(statement) for statement in statements]),
    )


def _claim_row(statement: Statement) -> list[object]:
    claim = statement.claim
    return [
        claim.claim_id,
        statement.key.doc_id,
        statement.subject.name,
        f"not {claim.predicate}" if claim.negated else claim.predicate,
        statement.object.name,
        "; ".join(dict.fromkeys(f"{each.kind}: {each.value}" for each in claim.qualifiers)),
        stated_by(claim.extraction, claim.confidence),
        _mark(statement.retracted),
    ]


@graph.command("neighbours", epilog=example("medkg graph neighbours NCT:NCT01234567"))
@reports_errors
def list_neighbours(ctx: typer.Context, about: About, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the concepts that claims join to a concept, those of most documents first."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        concept, neighbours = data_folder.graph.neighbours(about, limit)
    columns = ["", "predicate", "concept", "kind", "name", "documents", "claims", "retracted"]
    rows = [
        [
            "->" if each.outgoing else "<-",
            each.predicate,
            each.concept.concept,
            each.concept.kind,
            each.concept.name,
            each.documents,
            each.claims,
            _mark(each.retracted),
        ]
        for each in neighbours
    ]
    listed = [{**each.model_dump(), "retracted": each.retracted} for each in neighbours]
    value = {"concept": concept.model_dump(), "neighbours": listed}
    answer(as_json, value, lambda: table(_titled(concept), columns, rows))


def _titled(concept: Concept) -> str:
    return f"{concept.name} ({concept.concept}, {concept.kind})"


@graph.command("stats", epilog=example("medkg graph stats"))
@reports_errors
def show_stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Count mentions by kind and claims by predicate."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        counts = data_folder.graph.counts()

    def show() -> None:
        console.print(
            f"{counts.documents:,} documents, {counts.mentions:,} mentions of {counts.concepts:,} concepts, "
            f"{counts.claims:,} claims, {counts.retracted_documents:,} documents retracted"
        )
        table(None, ["kind", "mentions"], list(counts.kinds.items()))
        table(None, ["predicate", "claims"], list(counts.predicates.items()))

    answer(as_json, counts.model_dump(), show)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    graph_projection.register(graph)
    register_evidence(graph)
    register_export(graph)
    graph.add_typer(alias, name="alias")
    app.add_typer(graph, name="graph", rich_help_panel=DOCUMENTS)
