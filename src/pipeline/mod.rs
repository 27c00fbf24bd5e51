//! Pipelines. Layer 7.
