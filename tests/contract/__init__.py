"""The API against its own OpenAPI document: schemathesis, with every check, as each role."""
