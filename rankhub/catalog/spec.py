"""How a recipe names a component."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True)
class Uses:
    """Marks an address in the recipe that names a component of ``kind``."""

    kind: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A placeholder, which the schema for editors replaces by the kind's own definition."""
        return {KIND_KEY: self.kind}


KIND_KEY = "x-rankhub-kind"
"""Key of the placeholder in the JSON schema of an address that names a component."""


class ComponentSpec(BaseModel):
    """``{use: NAME, option: value, ...}``. The options are checked against the component's constructor."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, ser_json_inf_nan="constants")

    use: str = Field(description="name of the component, or owner/name")

    @property
    def options(self) -> dict[str, Any]:
        """Everything beside ``use``."""
        return dict(self.model_extra or {})
