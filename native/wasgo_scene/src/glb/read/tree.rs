//! Nodes, what hangs in them, and what moves them.

use super::super::{INSTANCING, LIGHTS};
use super::Reader;
use super::at::At;
use super::error::{ReadError, ReadFault};
use crate::transform::{row_bytes, rows_from_trs};
use crate::{
    Animation, Camera, Channel, Instances, Interpolation, Light, LightKind, Node, Path, Projection, Skin, Transform,
};

impl<'d, 'a> Reader<'d, 'a, '_> {
    /// All nodes, and the sets of instances that hang in them.
    pub(super) fn read_nodes(&self) -> Result<(Vec<Node>, Vec<Instances<'a>>), ReadError> {
        let root = self.root;
        let Some(list) = root.get("nodes")? else { return Ok((Vec::new(), Vec::new())) };
        list.at_most("nodes", list.len(), self.options.limits.nodes)?;
        let mut sets = Vec::new();
        let mut placed = 0;
        let mut nodes = Vec::with_capacity(list.len());
        for (index, at) in list.items()?.enumerate() {
            let mut node = self.node(&at)?;
            if let Some(extensions) = at.get("extensions")?
                && let Some(instancing) = extensions.get(INSTANCING)?
            {
                let Some(mesh) = node.mesh.take() else { return at.invalid("a mesh beside the instances") };
                let left = self.options.limits.instances - placed;
                let transforms = self.instances(&instancing, left)?;
                placed += transforms.len() / 48;
                let transforms = transforms.into();
                sets.push(Instances { name: node.name.clone(), mesh, parent: Some(index), transforms });
            }
            nodes.push(node);
        }
        Ok((nodes, sets))
    }

    fn node(&self, at: &At<'d, '_>) -> Result<Node, ReadError> {
        let counts = &self.counts;
        let mut light = None;
        if let Some(extensions) = at.get("extensions")?
            && let Some(extension) = extensions.get(LIGHTS)?
        {
            light = Some(extension.need("light")?.index("light", counts.lights)?);
        }
        Ok(Node {
            name: at.name()?,
            transform: transform(at)?,
            mesh: at.maybe("mesh", |at| at.index("mesh", counts.meshes))?,
            skin: at.maybe("skin", |at| at.index("skin", counts.skins))?,
            weights: at.or("weights", Vec::new(), |at| at.numbers(self.options.limits.morphs))?,
            camera: at.maybe("camera", |at| at.index("camera", counts.cameras))?,
            light,
            children: at.or("children", Vec::new(), |at| at.indices("node", counts.nodes))?,
            extras: self.extras(at)?,
            extensions: self.extensions(at, &[LIGHTS, INSTANCING])?,
        })
    }

    fn instances(&self, at: &At<'d, '_>, limit: usize) -> Result<Vec<u8>, ReadError> {
        let attributes = at.need("attributes")?;
        let mut parts = [None, None, None];
        let mut count = None;
        for (name, attribute) in attributes.each_field()? {
            let (part, components) = match name {
                "TRANSLATION" => (&mut parts[0], 3),
                "ROTATION" => (&mut parts[1], 4),
                "SCALE" => (&mut parts[2], 3),
                _ if self.options.lossy => continue,
                _ => return attribute.unsupported("data of instances beyond their transforms"),
            };
            let bytes = self.float_vectors(&attribute, components, "instances", limit)?;
            let elements = bytes.len() / (components * 4);
            if count.replace(elements).is_some_and(|count| count != elements) {
                return attribute.invalid("as many elements as the other attributes have");
            }
            *part = Some(bytes);
        }
        let Some(count) = count else { return attributes.invalid("a transform") };
        self.charge(at, count.saturating_mul(48))?;
        let part = |part: usize, instance: usize, default: [f32; 4]| {
            let Some(bytes) = &parts[part] else { return default };
            let size = bytes.len() / count;
            let mut values = default;
            for (value, place) in
                crate::validate::floats(&bytes[instance * size..(instance + 1) * size]).zip(&mut values)
            {
                *place = value;
            }
            values
        };
        let mut transforms = Vec::with_capacity(count * 48);
        for instance in 0..count {
            let [x, y, z, _] = part(0, instance, [0.0; 4]);
            let rotation = part(1, instance, [0.0, 0.0, 0.0, 1.0]);
            let [sx, sy, sz, _] = part(2, instance, [1.0; 4]);
            transforms.extend(row_bytes(&rows_from_trs([x, y, z], rotation, [sx, sy, sz])));
        }
        Ok(transforms)
    }

    pub(super) fn read_skins(&self) -> Result<Vec<Skin<'a>>, ReadError> {
        let root = self.root;
        let Some(list) = root.get("skins")? else { return Ok(Vec::new()) };
        list.at_most("skins", list.len(), self.options.limits.skins)?;
        let skin = |at: At<'d, '_>| {
            self.refuse_extensions(&at)?;
            let list = at.need("joints")?;
            list.at_most("joints of a skin", list.len(), self.options.limits.joints)?;
            let joints = list.indices("node", self.counts.nodes)?;
            let mut skin = Skin {
                name: at.name()?,
                skeleton: at.maybe("skeleton", |at| at.index("node", self.counts.nodes))?,
                extras: self.extras(&at)?,
                ..Skin::default()
            };
            if let Some(matrices) = at.get("inverseBindMatrices")? {
                let mut bytes = self.float_vectors(&matrices, 16, "matrices", self.options.limits.joints)?;
                if bytes.len() < joints.len() * 64 {
                    return matrices.invalid("a matrix for each joint");
                }
                if bytes.len() > joints.len() * 64 {
                    bytes.to_mut().truncate(joints.len() * 64);
                }
                skin.inverse_bind = bytes;
            }
            skin.joints = joints;
            Ok(skin)
        };
        list.items()?.map(skin).collect()
    }

    pub(super) fn read_cameras(&self) -> Result<Vec<Camera>, ReadError> {
        let root = self.root;
        let Some(list) = root.get("cameras")? else { return Ok(Vec::new()) };
        list.at_most("cameras", list.len(), self.options.limits.cameras)?;
        let camera = |at: At<'d, '_>| {
            self.refuse_extensions(&at)?;
            let kind = at.need("type")?;
            let projection = match kind.text()? {
                "perspective" => {
                    let lens = at.need("perspective")?;
                    Projection::Perspective {
                        yfov: lens.need("yfov")?.f32()?,
                        aspect: lens.maybe("aspectRatio", |at| at.f32())?,
                        near: lens.need("znear")?.f32()?,
                        far: lens.maybe("zfar", |at| at.f32())?,
                    }
                }
                "orthographic" => {
                    let lens = at.need("orthographic")?;
                    Projection::Orthographic {
                        xmag: lens.need("xmag")?.f32()?,
                        ymag: lens.need("ymag")?.f32()?,
                        near: lens.need("znear")?.f32()?,
                        far: lens.need("zfar")?.f32()?,
                    }
                }
                _ => return kind.invalid("perspective or orthographic"),
            };
            Ok(Camera { name: at.name()?, projection, extras: self.extras(&at)? })
        };
        list.items()?.map(camera).collect()
    }

    pub(super) fn read_lights(&self) -> Result<Vec<Light>, ReadError> {
        let root = self.root;
        let Some(extensions) = root.get("extensions")? else { return Ok(Vec::new()) };
        let Some(extension) = extensions.get(LIGHTS)? else { return Ok(Vec::new()) };
        let list = extension.need("lights")?;
        list.at_most("lights", list.len(), self.options.limits.cameras)?;
        let light = |at: At<'d, '_>| {
            let kind = at.need("type")?;
            let kind = match kind.text()? {
                "directional" => LightKind::Directional,
                "point" => LightKind::Point,
                "spot" => {
                    let spot = at.need("spot")?;
                    LightKind::Spot {
                        inner: spot.or("innerConeAngle", 0.0, |at| at.f32())?,
                        outer: spot.or("outerConeAngle", std::f32::consts::FRAC_PI_4, |at| at.f32())?,
                    }
                }
                _ => return kind.invalid("directional, point or spot"),
            };
            Ok(Light {
                name: at.name()?,
                color: at.or("color", [1.0; 3], |at| at.array())?,
                intensity: at.or("intensity", 1.0, |at| at.f32())?,
                range: at.maybe("range", |at| at.f32())?,
                kind,
                extras: self.extras(&at)?,
            })
        };
        list.items()?.map(light).collect()
    }

    pub(super) fn read_animations(&self) -> Result<Vec<Animation<'a>>, ReadError> {
        let root = self.root;
        let Some(list) = root.get("animations")? else { return Ok(Vec::new()) };
        list.at_most("animations", list.len(), self.options.limits.animations)?;
        let mut animations = Vec::with_capacity(list.len());
        for at in list.items()? {
            self.refuse_extensions(&at)?;
            let mut animation = Animation { name: at.name()?, extras: self.extras(&at)?, ..Animation::default() };
            let samplers = at.need("samplers")?;
            let channels = at.need("channels")?;
            channels.at_most("channels", channels.len(), self.options.limits.channels)?;
            for channel in channels.items()? {
                animation.channels.extend(self.channel(&channel, &samplers)?);
            }
            if !animation.channels.is_empty() {
                animations.push(animation);
            }
        }
        Ok(animations)
    }

    /// A channel; nothing for one that moves no node.
    fn channel(&self, at: &At<'d, '_>, samplers: &At<'d, '_>) -> Result<Option<Channel<'a>>, ReadError> {
        let target = at.need("target")?;
        self.refuse_extensions(&target)?;
        let Some(node) = target.get("node")? else { return Ok(None) };
        let node = node.index("node", self.counts.nodes)?;
        let path = target.need("path")?;
        let (path, components) = match path.text()? {
            "translation" => (Path::Translation, 3),
            "rotation" => (Path::Rotation, 4),
            "scale" => (Path::Scale, 3),
            "weights" => (Path::Weights, 1),
            _ => return path.invalid("translation, rotation, scale or weights"),
        };
        let number = at.need("sampler")?.index("sampler", samplers.len())?;
        let Some(sampler) = samplers.item(number) else { return samplers.invalid("a list") };
        let interpolation = match sampler.get("interpolation")? {
            None => Interpolation::Linear,
            Some(name) => match name.text()? {
                "LINEAR" => Interpolation::Linear,
                "STEP" => Interpolation::Step,
                "CUBICSPLINE" => Interpolation::Cubic,
                _ => return name.invalid("LINEAR, STEP or CUBICSPLINE"),
            },
        };
        let keys = self.options.limits.keys;
        let times = self.float_vectors(&sampler.need("input")?, 1, "keys", keys)?;
        // Each key has up to three values of each morph.
        let values = keys.saturating_mul(3).saturating_mul(self.options.limits.morphs.max(1));
        let values = self.float_vectors(&sampler.need("output")?, components, "values of keys", values)?;
        Ok(Some(Channel { node, path, interpolation, times, values }))
    }
}

fn transform(at: &At<'_, '_>) -> Result<Transform, ReadError> {
    if let Some(matrix) = at.get("matrix")? {
        let m: [f32; 16] = matrix.array()?;
        if [m[3], m[7], m[11], m[15]] != [0.0, 0.0, 0.0, 1.0] {
            return Err(matrix.error(ReadFault::Invalid { expected: "a matrix whose last row is 0, 0, 0, 1" }));
        }
        return Ok(Transform::Rows([m[0], m[4], m[8], m[12], m[1], m[5], m[9], m[13], m[2], m[6], m[10], m[14]]));
    }
    Ok(Transform::Trs {
        translation: at.or("translation", [0.0; 3], |at| at.array())?,
        rotation: at.or("rotation", [0.0, 0.0, 0.0, 1.0], |at| at.array())?,
        scale: at.or("scale", [1.0; 3], |at| at.array())?,
    })
}
