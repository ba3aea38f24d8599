//! Files to credentials with their edges.
