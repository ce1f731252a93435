"""The OpenAPI document: problems in their own shape, and the token."""

from typing import Any

from fastapi import FastAPI

from agent0es.service.api.shapes import Problem

PROBLEM = {
    "description": "It could not be done.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def install(app: FastAPI) -> None:
    """Have the document say what is answered where something is wrong."""
    plain = app.openapi

    def said() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            parts = document.setdefault("components", {})
            schemas = parts.setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas["Problem"] = Problem.model_json_schema()
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}, {}]
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
                    operation["responses"]["default"] = PROBLEM
        return app.openapi_schema or plain()

    app.openapi = said  # type: ignore[method-assign]
