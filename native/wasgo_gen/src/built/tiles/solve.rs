//! The solver: domains of cells, what they rule out of each other, and the way back from a dead end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{MAX_TILES, Placed, STEPS, TileSet, Tiles};
use crate::hash::{Chance, derive, unit};

/// Words of a domain: one bit for each tile in each of four turns.
const WORDS: usize = MAX_TILES * 4 / 64;

/// The variants that a cell may still have.
pub(super) type Domain = [u64; WORDS];

/// How often a dead end takes back a choice, before the attempt is given up: this many times, and once for every few cells
/// that are open at its start.
const BACKTRACKS: usize = 24;
const OPEN_PER_BACKTRACK: usize = 4;

fn bits(domain: &Domain) -> impl Iterator<Item = usize> {
    domain.iter().enumerate().flat_map(|(word, bits)| {
        let mut left = *bits;
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                word * 64 + bit
            })
        })
    })
}

fn count(domain: &Domain) -> u32 {
    domain.iter().map(|word| word.count_ones()).sum()
}

fn and(a: &Domain, b: &Domain) -> Domain {
    std::array::from_fn(|word| a[word] & b[word])
}

/// Tiles in all their turns, and which may be beside which.
pub(super) struct Table {
    pub(super) variants: Vec<Placed>,
    weights: Vec<f32>,
    /// weight * ln(weight).
    logs: Vec<f32>,
    /// By variant, then direction: north, east, south, west, up, down.
    beside: Vec<[Domain; 6]>,
    most: Vec<Option<u32>>,
    walkable: Domain,
}

impl Table {
    pub(super) fn new(set: &TileSet) -> Self {
        let mut variants = Vec::new();
        for (number, tile) in (0u32..).zip(&set.tiles) {
            let turns: &[u32] = match tile.turns {
                1 => &[0],
                2 => &[0, 2],
                _ => &[0, 1, 2, 3],
            };
            for turn in turns {
                let placed = Placed { tile: number, turn: *turn };
                // A tile that looks the same after a turn counts once, but for what stands in it.
                let same = variants.iter().any(|other: &Placed| {
                    other.tile == number
                        && tile.fittings.is_empty()
                        && (0..4).all(|side| set.side(*other, side) == set.side(placed, side))
                });
                if !same {
                    variants.push(placed);
                }
            }
        }
        let tile = |placed: Placed| &set.tiles[placed.tile as usize];
        let fits = |a: Option<&str>, b: Option<&str>| a.zip(b).is_none_or(|(a, b)| set.joins(a, b));
        let beside = variants
            .iter()
            .map(|a| {
                std::array::from_fn(|direction| {
                    let mut domain = [0; WORDS];
                    for (number, b) in variants.iter().enumerate() {
                        let joined = match direction {
                            4 => fits(tile(*a).above.as_deref(), tile(*b).below.as_deref()),
                            5 => fits(tile(*a).below.as_deref(), tile(*b).above.as_deref()),
                            side => fits(set.side(*a, side), set.side(*b, (side + 2) % 4)),
                        };
                        if joined {
                            domain[number / 64] |= 1 << (number % 64);
                        }
                    }
                    domain
                })
            })
            .collect();
        // The weight is that of the tile, however often it is turned.
        let turns = |placed: &Placed| variants.iter().filter(|other| other.tile == placed.tile).count() as f32;
        let weights: Vec<f32> = variants.iter().map(|placed| tile(*placed).weight / turns(placed)).collect();
        let logs = weights.iter().map(|weight| weight * libm::logf(*weight)).collect();
        let most = variants.iter().map(|placed| tile(*placed).most).collect();
        let mut walkable = [0; WORDS];
        for number in (0..variants.len()).filter(|number| tile(variants[*number]).walkable) {
            walkable[number / 64] |= 1 << (number % 64);
        }
        Self { variants, weights, logs, beside, most, walkable }
    }

    pub(super) fn all(&self) -> Domain {
        let mut domain = [0; WORDS];
        for number in 0..self.variants.len() {
            domain[number / 64] |= 1 << (number % 64);
        }
        domain
    }

    /// Leaves in a domain what is wanted.
    pub(super) fn keep(&self, domain: &mut Domain, wanted: impl Fn(Placed) -> bool) {
        for (number, placed) in self.variants.iter().enumerate() {
            if !wanted(*placed) {
                domain[number / 64] &= !(1 << (number % 64));
            }
        }
    }

    /// Whether something in a domain can be walked on.
    pub(super) fn can_walk(&self, domain: &Domain) -> bool {
        and(domain, &self.walkable) != [0; WORDS]
    }

    /// The one variant with a tile and a turn.
    pub(super) fn only(&self, placed: Placed) -> Domain {
        let mut domain = self.all();
        self.keep(&mut domain, |other| other == placed);
        domain
    }

    /// Shannon's entropy of the weights.
    fn entropy(&self, domain: &Domain) -> f32 {
        let (sum, logs) =
            bits(domain).fold((0.0, 0.0), |(sum, logs), bit| (sum + self.weights[bit], logs + self.logs[bit]));
        libm::logf(sum) - logs / sum
    }
}

/// A choice that can be taken back.
struct Decision {
    /// How long the trail was before it.
    trail: usize,
    cell: u32,
    variant: usize,
}

/// A grid on its way to being filled.
pub(super) struct Solver<'t> {
    table: &'t Table,
    pub(super) size: [u32; 3],
    domains: Vec<Domain>,
    /// What domains were before they were narrowed.
    trail: Vec<(u32, Domain)>,
    decisions: Vec<Decision>,
    queue: Vec<u32>,
    open: BinaryHeap<Reverse<(u32, u32, u32)>>,
    seed: u64,
    chance: Chance,
    settled_most: usize,
    dead: bool,
}

impl<'t> Solver<'t> {
    pub(super) fn new(table: &'t Table, size: [u32; 3], allowed: &[Domain], seed: u64) -> Self {
        let mut solver = Self {
            table,
            size,
            domains: allowed.to_vec(),
            trail: Vec::new(),
            decisions: Vec::new(),
            queue: (0..allowed.len() as u32).collect(),
            open: BinaryHeap::new(),
            seed,
            chance: Chance::new(derive(seed, 1)),
            settled_most: 0,
            dead: false,
        };
        solver.dead = allowed.iter().any(|domain| count(domain) == 0) || !solver.propagate();
        for cell in 0..allowed.len() as u32 {
            solver.enqueue(cell);
        }
        solver
    }

    /// Begins again with other domains, of which those that leave no choice are known to fit each other; chance goes on. No
    /// when they contradict each other.
    pub(super) fn restart(&mut self, allowed: &[Domain]) -> bool {
        self.trail.clear();
        self.decisions.clear();
        self.open.clear();
        self.queue.clear();
        self.domains.copy_from_slice(allowed);
        let is_open = |cell: u32| count(&allowed[cell as usize]) > 1;
        for cell in 0..allowed.len() as u32 {
            if is_open(cell) || neighbours(self.size, cell).into_iter().flatten().any(is_open) {
                self.queue.push(cell);
            }
        }
        self.dead = allowed.iter().any(|domain| count(domain) == 0) || !self.propagate();
        for cell in 0..allowed.len() as u32 {
            self.enqueue(cell);
        }
        !self.dead
    }

    /// Places what the set wants at least so many of, each in a cell of its own that chance finds.
    pub(super) fn require(&mut self, set: &TileSet) -> bool {
        const TRIES: u32 = 64;
        for (number, tile) in (0u32..).zip(&set.tiles) {
            let mut missing = tile.least;
            for _ in 0..TRIES {
                if missing == 0 {
                    break;
                }
                let cell = (self.chance.next() % self.domains.len() as u64) as usize;
                let mut domain = self.domains[cell];
                self.table.keep(&mut domain, |placed| placed.tile == number);
                if count(&domain) == 0 || count(&self.domains[cell]) == 1 {
                    continue;
                }
                let before = self.trail.len();
                self.narrow(cell as u32, domain);
                let variant = bits(&domain).next().unwrap_or(0);
                match self.propagate() && self.within_limits(cell as u32, variant) {
                    true => missing -= 1,
                    false => self.undo(before),
                }
            }
            if missing > 0 {
                return false;
            }
        }
        !self.dead
    }

    /// Settles every cell, or says no.
    pub(super) fn solve(&mut self) -> bool {
        let open = self.domains.iter().filter(|domain| count(domain) > 1).count();
        let mut backtracks = BACKTRACKS + open / OPEN_PER_BACKTRACK;
        while !self.dead {
            let Some(cell) = self.pick() else {
                self.settled_most = self.domains.len();
                return self.limits_hold();
            };
            let variant = self.choose(cell);
            let decision = Decision { trail: self.trail.len(), cell, variant };
            self.decisions.push(decision);
            let mut domain = [0; WORDS];
            domain[variant / 64] = 1 << (variant % 64);
            self.narrow(cell, domain);
            let mut sound = self.propagate() && self.within_limits(cell, variant);
            while !sound {
                self.note_settled();
                let Some(last) = self.decisions.pop() else { return false };
                if backtracks == 0 {
                    return false;
                }
                backtracks -= 1;
                self.undo(last.trail);
                let mut rest = self.domains[last.cell as usize];
                rest[last.variant / 64] &= !(1 << (last.variant % 64));
                self.narrow(last.cell, rest);
                sound = count(&rest) > 0 && self.propagate();
            }
        }
        false
    }

    /// The most cells that were settled at once.
    pub(super) fn most_settled(&self) -> usize {
        self.settled_most
    }

    /// The grid as it is; the first variant of what is not settled.
    pub(super) fn tiles(&self) -> Tiles {
        let first = |domain: &Domain| bits(domain).next().unwrap_or(0);
        Tiles {
            size: self.size,
            cells: self.domains.iter().map(|domain| self.table.variants[first(domain)]).collect(),
            rooms: Vec::new(),
            attempts: 0,
        }
    }

    fn note_settled(&mut self) {
        let settled = self.domains.iter().filter(|domain| count(domain) == 1).count();
        self.settled_most = self.settled_most.max(settled);
    }

    fn enqueue(&mut self, cell: u32) {
        let domain = &self.domains[cell as usize];
        let choices = count(domain);
        if choices > 1 {
            // Noise decides between cells that are alike. Positive floats are ordered like their bits.
            let noise = unit(derive(self.seed, 2 + u64::from(cell)));
            let key = self.table.entropy(domain).max(0.0) + noise * 1e-3;
            self.open.push(Reverse((key.to_bits(), cell, choices)));
        }
    }

    fn pick(&mut self) -> Option<u32> {
        while let Some(Reverse((_, cell, choices))) = self.open.pop() {
            // Older entries of a cell are passed over; what was taken back is entered again.
            if count(&self.domains[cell as usize]) == choices {
                return Some(cell);
            }
        }
        None
    }

    fn choose(&mut self, cell: u32) -> usize {
        let domain = self.domains[cell as usize];
        let total: f32 = bits(&domain).map(|bit| self.table.weights[bit]).sum();
        let mut left = unit(self.chance.next()) * total;
        let mut last = 0;
        for bit in bits(&domain) {
            last = bit;
            left -= self.table.weights[bit];
            if left < 0.0 {
                break;
            }
        }
        last
    }

    fn narrow(&mut self, cell: u32, domain: Domain) {
        let before = self.domains[cell as usize];
        if before != domain {
            self.trail.push((cell, before));
            self.domains[cell as usize] = domain;
            self.queue.push(cell);
            self.enqueue(cell);
        }
    }

    fn undo(&mut self, length: usize) {
        self.queue.clear();
        while self.trail.len() > length {
            if let Some((cell, before)) = self.trail.pop() {
                self.domains[cell as usize] = before;
                self.enqueue(cell);
            }
        }
    }

    /// Takes from the neighbours of what was narrowed all that no longer fits. No when a cell has nothing left.
    fn propagate(&mut self) -> bool {
        while let Some(cell) = self.queue.pop() {
            for (direction, other) in neighbours(self.size, cell).into_iter().enumerate() {
                let Some(other) = other else { continue };
                let mut fitting = [0; WORDS];
                for bit in bits(&self.domains[cell as usize]) {
                    let beside = &self.table.beside[bit][direction];
                    for (word, more) in fitting.iter_mut().zip(beside) {
                        *word |= more;
                    }
                }
                let narrowed = and(&self.domains[other as usize], &fitting);
                if count(&narrowed) == 0 {
                    self.queue.clear();
                    return false;
                }
                self.narrow(other, narrowed);
            }
        }
        true
    }

    /// Once there are as many of a tile as there may be, no other cell may have it.
    fn within_limits(&mut self, cell: u32, variant: usize) -> bool {
        let Some(most) = self.table.most[variant] else { return true };
        let tile = self.table.variants[variant].tile;
        let mut of_tile = [0; WORDS];
        for (number, placed) in self.table.variants.iter().enumerate() {
            if placed.tile == tile {
                of_tile[number / 64] |= 1 << (number % 64);
            }
        }
        let without: Domain = std::array::from_fn(|word| !of_tile[word]);
        let sure = |domain: &Domain| count(&and(domain, &without)) == 0;
        let placed = self.domains.iter().filter(|domain| sure(domain)).count();
        if placed > most as usize {
            return false;
        }
        if placed == most as usize {
            for other in 0..self.domains.len() as u32 {
                let domain = self.domains[other as usize];
                if other != cell && !sure(&domain) && and(&domain, &of_tile) != [0; WORDS] {
                    self.narrow(other, and(&domain, &without));
                }
            }
        }
        self.propagate()
    }
}

impl Solver<'_> {
    /// Whether there is not too much of anything, also of what had no choice.
    fn limits_hold(&self) -> bool {
        (0..self.table.variants.len()).all(|variant| {
            let tile = self.table.variants[variant].tile;
            let has = |domain: &&Domain| bits(domain).any(|bit| self.table.variants[bit].tile == tile);
            self.table.most[variant].is_none_or(|most| self.domains.iter().filter(has).count() <= most as usize)
        })
    }
}

/// Side of the squares of cells in each of which at most one is an anchor.
const ANCHOR: u32 = 4;

/// Says of some cells, strewn evenly over every level, that they must be walkable: of a share of the squares of [`ANCHOR`] cells one
/// each.
pub(super) fn anchor(table: &Table, [width, height, depth]: [u32; 3], allowed: &mut [Domain], share: f32, seed: u64) {
    let mut chance = Chance::new(seed);
    for y in 0..height {
        for (row, column) in
            (0..depth.div_ceil(ANCHOR)).flat_map(|row| (0..width.div_ceil(ANCHOR)).map(move |c| (row, c)))
        {
            let (wanted, place) = (unit(chance.next()), chance.next());
            let x = column * ANCHOR + (place % u64::from(ANCHOR)) as u32;
            let z = row * ANCHOR + ((place >> 32) % u64::from(ANCHOR)) as u32;
            if wanted >= share * 2.0 || x >= width || z >= depth {
                continue;
            }
            let domain = &mut allowed[((y * depth + z) * width + x) as usize];
            let walkable = and(domain, &table.walkable);
            if walkable != [0; WORDS] {
                *domain = walkable;
            }
        }
    }
}

/// The cells to the north, east, south, west, above and below.
pub(super) fn neighbours([width, height, depth]: [u32; 3], cell: u32) -> [Option<u32>; 6] {
    let (x, z, y) = (cell % width, cell / width % depth, cell / width / depth);
    let beside = |[dx, dz]: [i64; 2]| {
        let (x, z) = (i64::from(x) + dx, i64::from(z) + dz);
        let inside = (0..i64::from(width)).contains(&x) && (0..i64::from(depth)).contains(&z);
        inside.then(|| (y * depth + z as u32) * width + x as u32)
    };
    let level = width * depth;
    [
        beside(STEPS[0]),
        beside(STEPS[1]),
        beside(STEPS[2]),
        beside(STEPS[3]),
        (y + 1 < height).then(|| cell + level),
        (y > 0).then(|| cell - level),
    ]
}
