//! Transcripts as text, and the files they go to. Layer 4.
//!
//! One function a format, each giving what is written for one recording; stable, since other programs read them. Pure,
//! but for [`GrowingTranscript`], which a live session writes to.

mod ctm;
mod cues;
mod events;
mod format;
mod growing;
mod json;
mod placed;
mod plan;
mod subtitles;
mod table;
mod text;
mod textgrid;

pub use ctm::ctm;
pub use events::{end_line, event_line};
pub use format::{Format, RenderOptions};
pub use growing::GrowingTranscript;
pub use json::json_line;
pub use plan::{PlannedFiles, plan_files};
pub use subtitles::{srt, vtt};
pub use table::csv;
pub use text::{text_line, text_lines};
pub use textgrid::textgrid;
