//! Training and evaluation. Layer 8.
mod adam;
mod augment;
mod batch;
mod checkpoint;
mod evaluate;
mod export;
mod manifest;
mod recipe;
mod schedule;
mod trainer;
