//! The terminal view: past segments, the current one, and gauges.

use super::lines::keep;
use crate::cli::args::hold_messages;
use crate::cli::show::show;
use crate::output::GrowingTranscript;
use crate::pipeline::{Ending, LiveEvent, Monitor, Next, Pipeline};
use crate::{Event, Word};
use anyhow::{Context, Result};
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};
use ratatui::{DefaultTerminal, Frame};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Pictures a second are at most the inverse.
const REFRESH: Duration = Duration::from_millis(50);
/// Past segments kept for the screen; the transcript file has all.
const MOST_PAST: usize = 500;
/// Cells of the level meter.
const METER: usize = 20;
/// Level shown as empty, in dB below full scale.
const METER_FLOOR_DB: f32 = -60.0;
/// Messages shown.
const MOST_MESSAGES: usize = 3;
/// Messages kept for the end of the session.
const MOST_KEPT: usize = 100;
/// A key that is held down repeats faster than this.
const KEY_REPEAT: Duration = Duration::from_millis(600);

/// What is on the screen.
struct View<'a> {
    label: &'a str,
    latency_ms: Option<f64>,
    past: Vec<Line<'static>>,
    committed: Vec<Word>,
    tentative: Vec<Word>,
    messages: Vec<String>,
    level: f32,
    backlog: Duration,
    heard: Duration,
}

/// Shows the session until it is over; then what was said stays on the screen as plain lines.
pub(super) fn run(
    mut pipeline: Pipeline,
    label: &str,
    latency_ms: Option<f64>,
    mut transcript: Option<&mut GrowingTranscript>,
) -> Result<Ending> {
    let mut view = View::new(label, latency_ms);
    let mut terminal = ratatui::try_init().context("terminal")?;
    let held = hold_messages();
    let (mut said, mut told) = (Vec::new(), VecDeque::new());
    let mut keyboard = Keyboard::default();
    let mut show = || -> Result<()> {
        loop {
            for message in held.take() {
                view.messages.push(message.clone());
                told.push_back(message);
            }
            told.drain(..told.len().saturating_sub(MOST_KEPT));
            match pipeline.next_within(REFRESH) {
                Next::Ended => return Ok(()),
                Next::Nothing => {}
                Next::Event(event) => {
                    keep(&mut transcript, &event);
                    if let Event::Final(segment) = &event.event {
                        said.push(segment.text.clone());
                    }
                    view.take(event);
                }
            }
            view.refresh(pipeline.monitor());
            draw(&mut terminal, &view)?;
            keyboard.serve(&pipeline)?;
        }
    };
    let shown = show();
    ratatui::try_restore().context("terminal")?;
    for message in told {
        eprintln!("{message}");
    }
    drop(held);
    for text in said {
        show!("{text}")?;
    }
    shown.map(|()| pipeline.join())
}

fn draw(terminal: &mut DefaultTerminal, view: &View) -> Result<()> {
    terminal.draw(|frame| view.draw(frame)).context("terminal")?;
    Ok(())
}

/// The keys: Enter ends the segment; q, Esc and Ctrl-C the session.
#[derive(Default)]
struct Keyboard {
    last_enter: Option<Instant>,
}

impl Keyboard {
    fn serve(&mut self, pipeline: &Pipeline) -> Result<()> {
        while event::poll(Duration::ZERO).context("keyboard")? {
            let TerminalEvent::Key(key) = event::read().context("keyboard")? else {
                continue;
            };
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                _ if key.kind == KeyEventKind::Release => {}
                KeyCode::Enter if self.is_new(Instant::now()) => pipeline.control().end_segment(),
                KeyCode::Char('q') | KeyCode::Esc => pipeline.control().stop(),
                KeyCode::Char('c' | 'd') if control => pipeline.control().stop(),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether an Enter at `now` is one of its own: a key held down ends one segment, not one word after the other.
    fn is_new(&mut self, now: Instant) -> bool {
        let last = self.last_enter.replace(now);
        last.is_none_or(|last| now.saturating_duration_since(last) >= KEY_REPEAT)
    }
}

impl<'a> View<'a> {
    fn new(label: &'a str, latency_ms: Option<f64>) -> Self {
        View {
            label,
            latency_ms,
            past: Vec::new(),
            committed: Vec::new(),
            tentative: Vec::new(),
            messages: Vec::new(),
            level: 0.0,
            backlog: Duration::ZERO,
            heard: Duration::ZERO,
        }
    }

    fn take(&mut self, event: LiveEvent) {
        match event.event {
            Event::Partial { committed, tentative } => (self.committed, self.tentative) = (committed, tentative),
            Event::Final(segment) => {
                self.committed.clear();
                self.tentative.clear();
                self.add_past(segment.start, Span::raw(segment.text));
            }
            Event::Gap { lost } => {
                let text = format!("({:.2} s of audio lost)", lost.as_secs_f64());
                self.add_past(event.at, Span::styled(text, Style::new().fg(Color::Yellow)));
            }
        }
    }

    fn add_past(&mut self, at: Duration, what: Span<'static>) {
        if self.past.len() == MOST_PAST {
            self.past.remove(0);
        }
        self.past.push(Line::from(vec![Span::styled(format!("{} ", clock(at)), dim()), what]));
    }

    fn refresh(&mut self, monitor: &Monitor) {
        // The meter falls more slowly than it rises.
        self.level = monitor.level().max(self.level * 0.8);
        self.backlog = monitor.backlog();
        self.heard = monitor.heard();
        let surplus = self.messages.len().saturating_sub(MOST_MESSAGES);
        self.messages.drain(..surplus);
    }

    fn draw(&self, frame: &mut Frame) {
        let messages = self.messages.len() as u16;
        let rows = [Constraint::Length(1), Constraint::Min(3), Constraint::Length(messages), Constraint::Length(1)];
        let [head, text, notes, foot] = Layout::vertical(rows).areas(frame.area());
        frame.render_widget(self.gauges(), head);
        let (lines, hidden) = self.newest(text.width.max(1), text.height.saturating_sub(2));
        let paragraph = Paragraph::new(lines).wrap(Wrap { trim: false });
        let block = Block::new().borders(Borders::TOP | Borders::BOTTOM).border_style(dim());
        frame.render_widget(paragraph.block(block).scroll((u16::try_from(hidden).unwrap_or(u16::MAX), 0)), text);
        let style = Style::new().fg(Color::Yellow);
        let list: Vec<Line> = self.messages.iter().map(|text| Line::styled(text.as_str(), style)).collect();
        frame.render_widget(Paragraph::new(list), notes);
        frame.render_widget(Paragraph::new(Line::styled("Enter: end the segment   q: end the session", dim())), foot);
    }

    fn gauges(&self) -> Line<'_> {
        let db = 20.0 * self.level.max(1e-6).log10();
        let full = ((1.0 - db / METER_FLOOR_DB).clamp(0.0, 1.0) * METER as f32).round() as usize;
        let colour = if db > -3.0 { Color::Red } else { Color::Green };
        let latency = self.latency_ms.map_or(String::new(), |ms| format!("   latency {ms:.0} ms"));
        let rest = format!("{latency}   backlog {:.1} s   {}", self.backlog.as_secs_f64(), self.label);
        Line::from(vec![
            Span::styled(clock(self.heard), Style::new().add_modifier(Modifier::BOLD)),
            Span::raw("  "),
            Span::styled("█".repeat(full), Style::new().fg(colour)),
            Span::styled("░".repeat(METER - full), dim()),
            Span::raw(rest),
        ])
    }

    /// The newest lines that fill so many rows, the current segment last, and the rows of the first that are too many.
    fn newest(&self, width: u16, rows: u16) -> (Vec<Line<'_>>, usize) {
        let (mut lines, mut taken) = (Vec::new(), 0);
        for line in self.current().into_iter().chain(self.past.iter().rev().cloned()) {
            if taken >= usize::from(rows) {
                break;
            }
            taken += wrapped_height(&line, width);
            lines.push(line);
        }
        lines.reverse();
        (lines, taken.saturating_sub(usize::from(rows)))
    }

    /// The current segment: committed bold, tentative dim.
    fn current(&self) -> Option<Line<'_>> {
        let join = |words: &[Word]| words.iter().map(|word| format!("{} ", word.text)).collect::<String>();
        let first = self.committed.first().or(self.tentative.first())?;
        Some(Line::from(vec![
            Span::styled(format!("{} ", clock(first.start)), dim()),
            Span::styled(join(&self.committed), Style::new().add_modifier(Modifier::BOLD)),
            Span::styled(join(&self.tentative), dim()),
        ]))
    }
}

/// Rows that a line takes when it is broken at words, at least.
fn wrapped_height(line: &Line, width: u16) -> usize {
    let (mut rows, mut column) = (1, 0);
    let content: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    for word in content.split_inclusive(' ') {
        let length = word.chars().count();
        if column > 0 && column + word.trim_end().chars().count() > usize::from(width) {
            (rows, column) = (rows + 1, 0);
        }
        column += length;
    }
    rows
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// `mm:ss`, or `h:mm:ss` from an hour on.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let hours = if hours > 0 { format!("{hours}:") } else { String::new() };
    format!("{hours}{minutes:02}:{:02}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Segment;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn word(text: &str) -> Word {
        Word { text: text.into(), start: Duration::from_secs(65), end: Duration::from_secs(66), confidence: 1.0 }
    }

    fn screen(view: &View) -> (String, Terminal<TestBackend>) {
        let mut terminal = Terminal::new(TestBackend::new(80, 8)).expect("terminal");
        terminal.draw(|frame| view.draw(frame)).expect("drawn");
        (terminal.backend().to_string(), terminal)
    }

    #[test]
    fn committed_is_bold_and_tentative_dim() {
        let mut view = View::new("headset", Some(975.0));
        let segment = Segment { start: Duration::from_secs(3), text: "one two".into(), ..Default::default() };
        view.take(LiveEvent { at: Duration::from_secs(5), event: Event::Final(segment) });
        view.take(LiveEvent { at: Duration::from_secs(9), event: Event::Gap { lost: Duration::from_millis(1500) } });
        let (committed, tentative) = (vec![word("three")], vec![word("four")]);
        view.take(LiveEvent { at: Duration::from_secs(66), event: Event::Partial { committed, tentative } });
        let (text, terminal) = screen(&view);
        for part in ["latency 975 ms", "00:03 one two", "00:09 (1.50 s of audio lost)", "01:05 three four", "headset"] {
            assert!(text.contains(part), "{part:?} not in {text}");
        }
        let style = |column| terminal.backend().buffer()[(column, 4)].modifier;
        assert_eq!((style(6), style(12)), (Modifier::BOLD, Modifier::DIM), "{text}");
    }

    #[test]
    fn a_key_held_down_is_one_key() {
        let mut keyboard = Keyboard::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let new: Vec<bool> = [0, 500, 530, 560, 2000, 2700].map(|ms| keyboard.is_new(at(ms))).to_vec();
        assert_eq!(new, [true, false, false, false, true, true]);
    }

    #[test]
    fn the_newest_text_stays_visible() {
        let mut view = View::new("headset", None);
        for index in 0..100 {
            let text = format!("segment {index} {}", "with many words ".repeat(5));
            view.take(LiveEvent { at: Duration::ZERO, event: Event::Final(Segment { text, ..Default::default() }) });
        }
        let partial = Event::Partial { committed: vec![], tentative: vec![word("newest")] };
        view.take(LiveEvent { at: Duration::ZERO, event: partial });
        let (text, _) = screen(&view);
        assert!(text.contains("01:05 newest") && text.contains("segment 99"), "{text}");
    }
}
