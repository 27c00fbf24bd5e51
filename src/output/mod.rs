//! Transcripts as text. Layer 7.
//!
//! One function a format, each giving what is written for one recording; stable, since other programs read them.

mod events;
mod growing;
mod json;
mod text;

pub use events::{end_line, event_line};
pub use growing::GrowingTranscript;
pub use json::json_line;
pub use text::text_line;
