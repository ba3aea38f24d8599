//! Who needs whom, as a picture: each service stands right of everything that it needs.

use crate::page::{clip, escape};
use crate::words::stands_for;
use notafter_core::{RunRecord, ServiceName, Severity, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

const NODE_WIDTH: i64 = 170;
const NODE_HEIGHT: i64 = 40;
const GAP_X: i64 = 70;
const GAP_Y: i64 = 18;

#[derive(Serialize)]
pub(super) struct Graph {
    pub(super) width: i64,
    pub(super) height: i64,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

#[derive(Serialize)]
struct Node {
    x: i64,
    y: i64,
    label: String,
    note: &'static str,
    title: String,
    class: &'static str,
}

/// From what is needed to what needs it.
#[derive(Serialize)]
struct Edge {
    x1: i64,
    y1: i64,
    x2: i64,
    y2: i64,
    class: &'static str,
}

impl Graph {
    pub(super) fn new(record: &RunRecord, verdict: &Verdict) -> Self {
        let scenario = &record.scenario;
        let blocking = || verdict.findings.iter().filter(|finding| finding.severity == Severity::Block);
        let fallen = |name: &ServiceName| blocking().any(|finding| finding.services.contains(name));
        let first = |name: &ServiceName| blocking().any(|finding| finding.services.first() == Some(name));
        let mut column: BTreeMap<&ServiceName, i64> = BTreeMap::new();
        let mut filled: BTreeMap<i64, i64> = BTreeMap::new();
        let mut at: BTreeMap<&ServiceName, (i64, i64)> = BTreeMap::new();
        // Services stand in start order: what one needs has its place already.
        for service in &scenario.services {
            let behind =
                service.needs.iter().filter_map(|need| column.get(need)).max().map_or(0, |column| column + 1);
            column.insert(&service.name, behind);
            let row = filled.entry(behind).or_insert(0);
            at.insert(&service.name, (behind * (NODE_WIDTH + GAP_X), *row * (NODE_HEIGHT + GAP_Y)));
            *row += 1;
        }
        let nodes = scenario.services.iter().filter_map(|service| {
            let (x, y) = at.get(&service.name).copied()?;
            let is_candidate = service.name == scenario.candidate.service;
            let (class, note) = match (first(&service.name), fallen(&service.name), is_candidate) {
                (true, _, true) => ("node first", "candidate, falls first"),
                (true, _, false) => ("node first", "falls first"),
                (false, true, true) => ("node fallen", "candidate, falls"),
                (false, true, false) => ("node fallen", "falls with it"),
                (false, false, true) => ("node", "candidate"),
                (false, false, false) => ("node", ""),
            };
            let label = service.name.to_string();
            let title = escape(&clip(&stands_for(service), 300)).into_owned();
            Some(Node { x, y, label, note, title, class })
        });
        let edges = scenario.services.iter().flat_map(|service| {
            let to = at.get(&service.name).copied();
            let down = fallen(&service.name);
            let needs = service.needs.iter().filter_map(|need| Some((need, at.get(need).copied()?)));
            needs
                .filter_map(move |(need, (x, y))| {
                    let (to_x, to_y) = to?;
                    let class = if down && fallen(need) { "edge fallen" } else { "edge" };
                    let (half, y1) = (NODE_HEIGHT / 2, y);
                    Some(Edge { x1: x + NODE_WIDTH, y1: y1 + half, x2: to_x - 2, y2: to_y + half, class })
                })
                .collect::<Vec<_>>()
        });
        let columns = column.values().max().map_or(1, |column| column + 1);
        let rows = filled.values().max().copied().unwrap_or(1);
        Self {
            width: columns * (NODE_WIDTH + GAP_X) - GAP_X + 4,
            height: rows * (NODE_HEIGHT + GAP_Y) - GAP_Y + 4,
            nodes: nodes.collect(),
            edges: edges.collect(),
        }
    }
}
