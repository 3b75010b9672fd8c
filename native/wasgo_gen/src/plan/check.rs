//! The allowed range of everything in a plan but its nodes, which the compiler checks on its way.

use super::{
    Fault, Layer, MAX_HEIGHT, MAX_INSTANCES, MAX_LAYERS, MAX_LEVEL, MAX_NODES, MAX_PROP_TRIANGLES, MAX_RULES,
    MAX_WORLD, Plan, PlanError, ScatterRule, VERSION,
};

pub(super) fn number(place: &str, value: f32, low: f32, high: f32) -> Result<(), PlanError> {
    // NaN is in no range.
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(PlanError::range(place, value, format!("{low} to {high}")))
}

pub(super) fn whole(place: &str, value: u64, low: u64, high: u64) -> Result<(), PlanError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(PlanError::range(place, value, format!("{low} to {high}")))
}

fn pair(place: &str, (first, second): (f32, f32), low: f32, high: f32) -> Result<(), PlanError> {
    number(place, first, low, high)?;
    number(place, second, low, high)?;
    if first > second {
        return Err(PlanError::range(place, format!("{first} to {second}"), "the first at most the second"));
    }
    Ok(())
}

pub(super) fn at_most(place: &str, what: &'static str, count: usize, max: usize) -> Result<(), PlanError> {
    if count > max {
        return Err(PlanError { place: place.into(), fault: Fault::TooMany { what, max } });
    }
    Ok(())
}

impl Plan {
    /// Checks everything but the nodes: what they may be is seen only where they are put together.
    ///
    /// # Errors
    ///
    /// The first fault, with the place in the plan.
    pub fn validate(&self) -> Result<(), PlanError> {
        if self.version != VERSION {
            return Err(PlanError::range("version", self.version, format!("{VERSION}")));
        }
        number("chunk.size", self.chunk.size, 1.0, 4096.0)?;
        whole("chunk.samples", u64::from(self.chunk.samples), 2, 257)?;
        whole("chunk.levels", u64::from(self.chunk.levels), 0, u64::from(MAX_LEVEL))?;
        let widest = f64::from(self.chunk.size) * f64::from(1u32 << self.chunk.levels);
        if widest * 2.0 > MAX_WORLD {
            let allowed = format!("so many that chunks are at most {} m wide", MAX_WORLD / 2.0);
            return Err(PlanError::range("chunk.levels", self.chunk.levels, allowed));
        }
        at_most("nodes", "nodes", self.nodes.len(), MAX_NODES)?;
        if let Some(id) = self.nodes.keys().find(|id| id.is_empty() || id.len() > 64) {
            return Err(PlanError::range("nodes", format!("{id:?}"), "names of 1 to 64 bytes"));
        }
        if let Some(water) = self.terrain.as_ref().and_then(|terrain| terrain.water) {
            number("terrain.water", water, -MAX_HEIGHT, MAX_HEIGHT)?;
        }
        if let Some(volume) = &self.volume {
            whole("volume.cells", u64::from(volume.cells), 8, 64)?;
            number("volume.spacing", volume.spacing, 0.01, 64.0)?;
        }
        at_most("ground", "layers", self.ground.len(), MAX_LAYERS)?;
        self.ground.iter().enumerate().try_for_each(|(at, layer)| check_layer(at, layer))?;
        at_most("scatter", "rules", self.scatter.len(), MAX_RULES)?;
        if !self.scatter.is_empty() && self.terrain.is_none() {
            return Err(PlanError { place: "scatter".into(), fault: Fault::NoTerrain });
        }
        for (at, rule) in self.scatter.iter().enumerate() {
            check_rule(&format!("scatter[{at}]"), rule, &self.scatter[..at], self.chunk.levels)?;
        }
        self.check_triangles()?;
        self.check_density()?;
        self.check_built()?;
        self.check_scripts()
    }

    /// The props of all rules together, before any is made.
    fn check_triangles(&self) -> Result<(), PlanError> {
        let mut triangles = 0;
        for (at, rule) in self.scatter.iter().enumerate() {
            triangles += u64::from(rule.variants) * u64::from(rule.kind.max_triangles());
            if triangles > MAX_PROP_TRIANGLES {
                let what = "triangles in the meshes of it and of the rules before";
                let fault = Fault::TooMany { what, max: MAX_PROP_TRIANGLES as usize };
                return Err(PlanError { place: format!("scatter[{at}].variants"), fault });
            }
        }
        Ok(())
    }

    /// All rules together, in the widest chunk in which each is.
    fn check_density(&self) -> Result<(), PlanError> {
        for level in 0..=self.chunk.levels {
            let size = f64::from(self.chunk.size) * f64::from(1u32 << level);
            let mut places = 0u64;
            for (at, rule) in self.scatter.iter().enumerate().filter(|(_, rule)| rule.level >= level) {
                let side = (size / f64::from(rule.spacing)) as u64 + 12;
                places += side * side;
                if places > MAX_INSTANCES as u64 {
                    let fault = Fault::TooDense { places, size, max: MAX_INSTANCES };
                    return Err(PlanError { place: format!("scatter[{at}].spacing"), fault });
                }
            }
        }
        Ok(())
    }
}

fn check_layer(at: usize, layer: &Layer) -> Result<(), PlanError> {
    let place = format!("ground[{at}]");
    if at > 0 && layer.by.is_none() {
        return Err(PlanError::range(format!("{place}.by"), "not given", "a field that says where the layer lies"));
    }
    if layer.name.len() > 64 {
        return Err(PlanError::range(format!("{place}.name"), layer.name.len(), "at most 64 bytes"));
    }
    layer.color.iter().try_for_each(|value| number(&format!("{place}.color"), *value, 0.0, 1.0))
}

fn check_rule(place: &str, rule: &ScatterRule, before: &[ScatterRule], levels: u8) -> Result<(), PlanError> {
    let field = |name: &str| format!("{place}.{name}");
    if rule.name.len() > 64 {
        return Err(PlanError::range(field("name"), rule.name.len(), "at most 64 bytes"));
    }
    rule.kind.check(&field("kind"))?;
    if let Some(variation) = &rule.variation {
        variation.validate().map_err(|error| PlanError::of_prop(&field("variation"), error))?;
    }
    whole(&field("variants"), u64::from(rule.variants), 1, 16)?;
    number(&field("spacing"), rule.spacing, 0.25, 1024.0)?;
    number(&field("density"), rule.density, 0.0, 1.0)?;
    pair(&field("slope"), rule.slope, 0.0, 1.0)?;
    pair(&field("height"), rule.height, -MAX_HEIGHT, MAX_HEIGHT)?;
    pair(&field("scale"), rule.scale, 0.01, 100.0)?;
    whole(&field("level"), u64::from(rule.level), 0, u64::from(levels))?;
    at_most(&field("avoid"), "rules to keep away from", rule.avoid.len(), MAX_RULES)?;
    for (at, avoid) in rule.avoid.iter().enumerate() {
        let place = format!("{place}.avoid[{at}]");
        number(&format!("{place}.distance"), avoid.distance, 0.0, 256.0)?;
        if !before.iter().any(|other| other.name == avoid.rule && !avoid.rule.is_empty()) {
            return Err(PlanError { place, fault: Fault::NoRule { name: avoid.rule.clone() } });
        }
    }
    Ok(())
}
