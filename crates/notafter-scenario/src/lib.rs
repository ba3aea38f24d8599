//! Scenario files: strict YAML with located errors.
