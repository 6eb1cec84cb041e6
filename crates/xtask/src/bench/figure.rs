//! One measured number and the line it is printed as.

use std::fmt;

use crate::command::say;

/// A measured number, its unit, and what it is held against.
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    baseline: Option<f64>,
    goal: Option<f64>,
}

impl Figure {
    /// A figure by itself.
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            name,
            value,
            unit,
            baseline: None,
            goal: None,
        }
    }

    /// Sets what was measured in turn with it, to be held against.
    pub(crate) fn baseline(mut self, baseline: f64) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// Sets what it should be: at most that, or for a ratio at least.
    pub(crate) fn goal(mut self, goal: f64) -> Self {
        self.goal = Some(goal);
        self
    }

    /// Prints the line.
    pub(crate) fn print(&self) {
        say(self);
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            r#"{{"figure":"{}","value":{:.3},"unit":"{}""#,
            self.name, self.value, self.unit
        )?;
        if let Some(baseline) = self.baseline {
            write!(
                formatter,
                r#","baseline":{baseline:.3},"ratio":{:.3}"#,
                self.value / baseline
            )?;
        }
        if let Some(goal) = self.goal {
            write!(formatter, r#","goal":{goal}"#)?;
        }
        formatter.write_str("}")
    }
}

/// The middle one of some measurements. There has to be at least one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, median};

    #[test]
    fn a_figure_prints_what_it_has() {
        let figure = Figure::new("ready_ms", 1234.5, "ms").goal(3000.0);
        assert_eq!(
            figure.to_string(),
            r#"{"figure":"ready_ms","value":1234.500,"unit":"ms","goal":3000}"#
        );
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < f64::EPSILON);
        assert!((median(vec![9.0, 1.0, 3.0]) - 3.0).abs() < f64::EPSILON);
    }
}
