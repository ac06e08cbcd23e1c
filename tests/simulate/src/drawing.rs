//! A comparison as an SVG: backlog, pods and waits over time.

use std::fmt::Write;

use crate::{Comparison, Run};

const WIDTH: f64 = 900.0;
const PANEL_HEIGHT: f64 = 150.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 48.0;
const GAP: f64 = 40.0;
const COLUMNS: usize = 420;
const COLOURS: [(&str, &str); 3] = [("ours", "#2f6f4f"), ("KEDA", "#b7791f"), ("optimum", "#3c6e9f")];
const FONT: &str = "font-family=\"ui-sans-serif, system-ui, Helvetica, Arial, sans-serif\" font-size=\"12\"";

/// Points of time and value.
type Line = Vec<(f64, f64)>;
/// A title, and what of a run it is the title of.
type Panel = (&'static str, fn(&Run) -> Line);

/// The whole picture.
pub fn draw(comparison: &Comparison) -> String {
    let runs = [Some(&comparison.ours), Some(&comparison.keda), comparison.optimum.as_ref()];
    let height = TOP + 3.0 * (PANEL_HEIGHT + GAP);
    let width = LEFT + WIDTH + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" {FONT}>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    text(&mut svg, LEFT, 20.0, &format!("<tspan font-weight=\"bold\">{}</tspan>", escaped(&comparison.name)));
    for ((name, colour), place) in COLOURS.into_iter().zip([200.0, 280.0, 360.0]) {
        text(&mut svg, LEFT + place, 20.0, &format!("<tspan fill=\"{colour}\">{name}</tspan>"));
    }
    let panels: [Panel; 3] =
        [("jobs that wait", backlog), ("pods", replicas), ("wait of those who come, seconds", waits)];
    let last = comparison.ours.moments.last().map_or(1.0, |moment| moment.second.max(1.0));
    for ((title, line_of), place) in panels.into_iter().zip([0.0, 1.0, 2.0]) {
        let lines = runs.map(|run| run.map(line_of).unwrap_or_default());
        draw_panel(&mut svg, TOP + place * (PANEL_HEIGHT + GAP), title, last, &lines);
    }
    svg.push_str("</svg>\n");
    svg
}

fn backlog(run: &Run) -> Line {
    run.moments.iter().map(|moment| (moment.second, crate::counted(moment.waiting))).collect()
}

fn replicas(run: &Run) -> Line {
    run.moments.iter().map(|moment| (moment.second, f64::from(moment.replicas))).collect()
}

fn waits(run: &Run) -> Line {
    let mut waits = run.waits.clone();
    waits.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    waits
}

/// Over `last` seconds.
fn draw_panel(svg: &mut String, top: f64, title: &str, last: f64, lines: &[Line; 3]) {
    let most = lines.iter().flatten().map(|(_, value)| *value).fold(1.0, f64::max);
    let bottom = top + PANEL_HEIGHT;
    text(svg, LEFT, top - 6.0, title);
    text(svg, 4.0, top + 10.0, &format!("{most:.0}"));
    text(svg, 4.0, bottom, "0");
    text(svg, LEFT + WIDTH - 40.0, bottom + 16.0, &format!("{last:.0} s"));
    line(svg, "#cbd5e0", &format!("M{LEFT} {top} V{bottom} H{}", LEFT + WIDTH));
    // Ours comes last, so that it lies above the others.
    for ((_, colour), points) in COLOURS.into_iter().zip(lines).rev() {
        line(svg, colour, &path(&thinned(points, last), last, most, bottom));
    }
}

/// The highest value of each column of the picture.
fn thinned(points: &[(f64, f64)], last: f64) -> Line {
    let mut thin: Line = Vec::with_capacity(COLUMNS);
    let width = last / f64::from(u32::try_from(COLUMNS).unwrap_or(u32::MAX));
    for (at, value) in points {
        let column = (at / width).floor() * width;
        match thin.last_mut() {
            Some((begun, highest)) if *begun >= column => *highest = highest.max(*value),
            Some(_) | None => thin.push((column, *value)),
        }
    }
    thin
}

fn path(points: &[(f64, f64)], last: f64, most: f64, bottom: f64) -> String {
    let mut path = String::new();
    for (at, value) in points {
        let (x, y) = (LEFT + at / last * WIDTH, bottom - value / most * PANEL_HEIGHT);
        let step = if path.is_empty() { "M" } else { " L" };
        // Writing to a string cannot fail.
        let _ = write!(path, "{step}{x:.1} {y:.1}");
    }
    path
}

fn line(svg: &mut String, colour: &str, path: &str) {
    if !path.is_empty() {
        let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\"/>");
    }
}

fn text(svg: &mut String, x: f64, y: f64, content: &str) {
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"#1a202c\">{content}</text>");
}

fn escaped(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ours, Trace, limits_for, run};

    #[test]
    fn picture_has_a_line_for_each_run_in_each_panel() {
        let trace = Trace::parse(include_str!("../traces/spike.json")).unwrap();
        let ours = run(&trace, &mut Ours::new(&trace, limits_for(&trace)));
        let comparison = Comparison {
            name: "a < b".into(),
            keda_mean: ours.figures,
            keda: ours.clone(),
            optimum: None,
            ours,
        };
        let svg = draw(&comparison);
        let strokes = COLOURS.map(|(_, colour)| svg.matches(&format!("stroke=\"{colour}\"")).count());
        assert_eq!(strokes, [3, 3, 0]);
        assert!(svg.contains("a &lt; b"));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.len() < 100_000, "{}", svg.len());
    }
}
