//! Reads and makes credentials: DER, PEM, X.509.
