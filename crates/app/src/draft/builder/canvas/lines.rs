//! The lines between the cards.

use domain::layout::Line;
use leptos::prelude::*;

use super::Canvas;

impl Canvas {
    /// Returns the lines in the page as one path.
    pub(in super::super) fn lines(self) -> String {
        let window = self.window.get();
        let mut path = String::new();
        self.layout.with(|layout| {
            layout
                .lines_within(window)
                .for_each(|line| draw(&mut path, line));
        });
        path
    }
}

/// Adds a line to a path, with round corners.
fn draw(path: &mut String, line: &Line) {
    use std::fmt::Write;
    let ((x, y), (to_x, to_y), bend) = (line.from, line.to, line.bend);
    let turn = (to_x - x).signum() * (to_x - x).abs().min(20) / 2;
    let drop = turn.abs();
    // Writing to a text does not fail.
    let _ = if turn == 0 {
        write!(path, "M{x} {y}V{to_y}")
    } else {
        write!(
            path,
            "M{x} {y}V{}Q{x} {bend} {} {bend}H{}Q{to_x} {bend} {to_x} {}V{to_y}",
            bend - drop,
            x + turn,
            to_x - turn,
            bend + drop,
        )
    };
}
