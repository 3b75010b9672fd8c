//! Fields and generators that scripts compute: told what they are asked, held to what they may answer, and no chunk's business but their own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use support::chunk_hash;
use wasgo_gen::field::{Node, RiverOutput};
use wasgo_gen::preview::View;
use wasgo_gen::script::{
    GivenScript, Script, ScriptCall, ScriptError, ScriptFailure, ScriptFault, ScriptInstance, geometry,
};
use wasgo_gen::{
    ChunkId, GenError, Generator, GeneratorRule, Plan, ScriptSource, ScriptValue, Terrain, Volume, VolumeId, props,
    scene,
};
use wasgo_scene::{Limits, glb, validate};

mod support;

/// What a script does: how often the instance was called before, what it is told, and its answer.
type Act = dyn Fn(u32, &ScriptCall<'_>) -> Result<Vec<u8>, ScriptFailure> + Send + Sync;

/// A script that is a function of this program.
#[derive(Clone)]
struct Native {
    act: Arc<Act>,
    starts: Arc<AtomicU32>,
}

struct Instance(Native, u32, Vec<u8>);

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Native")
    }
}

impl Script for Native {
    fn start(&self) -> Result<Box<dyn ScriptInstance>, ScriptFailure> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Instance(self.clone(), 0, Vec::new())))
    }
}

impl ScriptInstance for Instance {
    fn generate(&mut self, call: &ScriptCall<'_>) -> Result<&[u8], ScriptFailure> {
        self.1 += 1;
        self.2 = (self.0.act)(self.1 - 1, call)?;
        Ok(&self.2)
    }
}

fn native(act: impl Fn(u32, &ScriptCall<'_>) -> Result<Vec<u8>, ScriptFailure> + Send + Sync + 'static) -> Native {
    Native { act: Arc::new(act), starts: Arc::default() }
}

fn digest() -> String {
    "0123456789abcdef".repeat(4)
}

/// A plan with a script `s` that nothing calls yet, and small chunks.
fn plan() -> Plan {
    let mut plan = Plan::new(42);
    (plan.chunk.size, plan.chunk.samples) = (32.0, 17);
    plan.scripts.insert("s".into(), ScriptSource { digest: digest() });
    plan
}

/// The plan with a script in its terrain, beside what it had.
fn with_field(mut plan: Plan, low: f32, high: f32) -> Plan {
    let parameters = vec![ScriptValue::Real(0.25), ScriptValue::Text("hill".into())];
    let node = Node::Script { script: "s".into(), parameters, dimensions: 2, low, high, fuel: 10_000 };
    plan.nodes.insert("bumps".into(), node);
    plan.nodes.insert("sum".into(), Node::Add { of: vec!["land".into(), "bumps".into()] });
    plan.terrain = Some(Terrain { height: "sum".into(), water: Some(0.0) });
    plan
}

fn with_generator(mut plan: Plan) -> Plan {
    let (name, parameters) = ("stones".into(), vec![ScriptValue::Integer(7)]);
    plan.generators = vec![GeneratorRule { name, script: "s".into(), parameters, level: 1, fuel: 1_000_000 }];
    plan
}

fn generator(plan: &Plan, script: &Native) -> Generator {
    let given = GivenScript { digest: digest(), script: Arc::new(script.clone()) };
    Generator::with_scripts(plan.clone(), &BTreeMap::from([("s".into(), given)])).unwrap_or_else(|e| panic!("{e}"))
}

fn number(bytes: &[u8], at: usize) -> f64 {
    f64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Values of places by a function.
fn values(asked: &[u8], value: impl Fn(f64, f64, f64) -> f32) -> Vec<u8> {
    assert_eq!(asked[..4], [1, 0, 0, 0]);
    assert_eq!(u32::from_le_bytes(asked[4..8].try_into().unwrap()) as usize * 24 + 8, asked.len());
    let places = asked[8..].chunks_exact(24);
    places.flat_map(|at| value(number(at, 0), number(at, 8), number(at, 16)).to_le_bytes()).collect()
}

fn bumps() -> Native {
    native(|_, call| {
        assert_eq!((call.seed, call.x, call.z, call.level), (42, 0, 0, 0));
        assert_eq!(call.parameters, [ScriptValue::Real(0.25), ScriptValue::Text("hill".into())]);
        Ok(values(call.asked, |x, y, z| {
            assert!(y.abs() < 1e-12);
            ((x * 0.7) % 3.0 + (z * 0.3) % 2.0) as f32
        }))
    })
}

/// A triangle, coloured, that stands at each of these places.
fn triangle(places: &[[f32; 3]]) -> Vec<u8> {
    let mut out = geometry::MAGIC.to_vec();
    for number in [geometry::FORM, 1, places.len() as u32, 3, 3, 1] {
        out.extend(number.to_le_bytes());
    }
    for number in [0.4f32, 0.0, 2.0, 1.0, 0.0] {
        out.extend(number.to_le_bytes());
    }
    for [x, y, z] in [[0.0f32, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]] {
        for number in [x, y, z, 0.0, 0.0, 0.0, 0.9, 0.8, 0.7, 1.0] {
            out.extend(number.to_le_bytes());
        }
    }
    for index in [0u32, 1, 2] {
        out.extend(index.to_le_bytes());
    }
    for [x, y, z] in places {
        out.extend(0u32.to_le_bytes());
        for number in [*x, *y, *z, 0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 2.0] {
            out.extend(number.to_le_bytes());
        }
    }
    out
}

/// A triangle at the middle of the chunk, on the ground; it checks what it is told.
fn stones() -> Native {
    native(|_, call| {
        let (asked, level) = (call.asked, i32::from(call.level));
        assert_eq!(u32::from_le_bytes(asked[..4].try_into().unwrap()), 2);
        let samples = u32::from_le_bytes(asked[4..8].try_into().unwrap()) as usize;
        let (x, z, size) = (number(asked, 8), number(asked, 16), number(asked, 24));
        assert_eq!((x, z), (f64::from(call.x) * size, f64::from(call.z) * size));
        assert_eq!(size, 32.0 * f64::from(1 << level));
        assert_eq!(asked.len(), 32 + 4 * samples * samples);
        assert_eq!(call.parameters, [ScriptValue::Integer(7)]);
        let middle = 32 + 4 * (samples / 2 * samples + samples / 2);
        let height = f32::from_le_bytes(asked[middle..middle + 4].try_into().unwrap());
        Ok(triangle(&[[size as f32 / 2.0, height, size as f32 / 2.0]]))
    })
}

fn script_error(result: Result<impl Sized, GenError>) -> ScriptError {
    match result.err().expect("an error") {
        GenError::Script(error) => error,
        other => panic!("{other}"),
    }
}

fn failing() -> Native {
    native(|_, _| Err(ScriptFailure::new(std::io::Error::other("no fuel left"))))
}

#[test]
fn a_field_of_a_script_is_part_of_the_ground_and_agrees_on_borders_and_between_levels() {
    let made = generator(&with_field(plan(), -6.0, 6.0), &bumps());
    let (here, east) = (made.chunk(ChunkId::new(0, 0)).unwrap(), made.chunk(ChunkId::new(1, 0)).unwrap());
    let coarse = made.chunk(ChunkId { level: 1, ..ChunkId::new(0, 0) }).unwrap();
    let bare = Generator::new(Plan { scripts: BTreeMap::new(), ..plan() }).unwrap();
    let bare = bare.chunk(ChunkId::new(0, 0)).unwrap();
    for row in 0..17usize {
        assert_eq!(here.heights[row * 17 + 16].to_bits(), east.heights[row * 17].to_bits());
        for column in 0..17usize {
            let (x, z) = (column as f64 * 2.0, row as f64 * 2.0);
            let bump = ((x * 0.7) % 3.0 + (z * 0.3) % 2.0) as f32;
            assert_eq!(here.heights[row * 17 + column], bare.heights[row * 17 + column] + bump);
            if row % 2 == 0 && column % 2 == 0 {
                assert_eq!(here.heights[row * 17 + column], coarse.heights[row / 2 * 17 + column / 2]);
            }
        }
    }
}

#[test]
fn a_chunk_is_the_same_whatever_was_made_before_and_by_whichever_thread() {
    // It remembers how often it was called, which it should not: chunks are the same all the same.
    let counting = native(|calls, call| match call.asked[0] {
        1 => Ok(values(call.asked, |x, _, _| (x * 0.01) as f32 % 1.0 + calls as f32 * 0.01)),
        _ => Ok(triangle(&[[calls as f32, 1.0, 1.0]])),
    });
    let plan = with_generator(with_field(plan(), -1.0, 6.0));
    let made = generator(&plan, &counting);
    let ids: Vec<ChunkId> = (0..6).map(|n| ChunkId { level: (n % 2) as u8, ..ChunkId::new(n, -n) }).collect();
    let everything = |id: &ChunkId| made.chunk(*id).unwrap();
    let forwards: Vec<_> = ids.iter().map(everything).collect();
    let backwards: Vec<_> = ids.iter().rev().map(everything).collect();
    assert!(forwards.iter().eq(backwards.iter().rev()));
    std::thread::scope(|scope| {
        let threads: Vec<_> = ids.iter().map(|id| scope.spawn(move || everything(id))).collect();
        for (thread, chunk) in threads.into_iter().zip(&forwards) {
            assert_eq!(thread.join().unwrap(), *chunk);
        }
    });
    assert_eq!(counting.starts.load(Ordering::Relaxed), 18);
}

/// Rivers are found tile by tile, and tiles are kept for later chunks.
#[test]
fn rivers_over_a_scripts_ground_hang_on_nobody_who_asked_before() {
    let mut plan = with_field(plan(), -50.0, 90.0);
    let (width, depth, valley, output) = (6.0, 3.0, 2.0, RiverOutput::Ground);
    let of = "sum".into();
    let node = Node::Rivers { of, frequency: 1.0 / 60.0, width, depth, valley, sea: None, springs: 1, output, seed: 0 };
    plan.nodes.insert("rivers".into(), node);
    plan.terrain = Some(Terrain { height: "rivers".into(), water: None });
    let remembering = |slope: f64| {
        native(move |calls, call| {
            Ok(values(call.asked, |x, _, z| (20.0 + (x * 0.02).sin() * 20.0 + z % 64.0 * slope) as f32 + calls as f32))
        })
    };
    let all = |made: &Generator, order: &[i32]| -> Vec<(i32, u64)> {
        let mut hashes: Vec<(i32, u64)> =
            order.iter().map(|n| (*n, chunk_hash(&made.chunk(ChunkId::new(*n, 1)).unwrap()))).collect();
        hashes.sort_unstable();
        hashes
    };
    let (one, other) = (remembering(0.05), remembering(0.1));
    let forwards = all(&generator(&plan, &one), &[0, 1, 2, 3, 4]);
    let elsewhere = std::thread::spawn({
        let (plan, one) = (plan.clone(), one.clone());
        move || all(&generator(&plan, &one), &[4, 2, 0, 3, 1])
    });
    assert_eq!(elsewhere.join().unwrap(), forwards);

    // Another script under the name is another plan's, with rivers of its own.
    let mut another = plan.clone();
    another.scripts.insert("s".into(), ScriptSource { digest: "f".repeat(64) });
    let given = GivenScript { digest: "f".repeat(64), script: Arc::new(other.clone()) };
    let made = Generator::with_scripts(another, &BTreeMap::from([("s".into(), given)])).unwrap();
    let fresh = std::thread::spawn({
        let made = generator(&plan, &other);
        move || all(&made, &[0])
    });
    assert_eq!(all(&made, &[0]), fresh.join().unwrap());

    // A failure is an error of every chunk that needs it, and what came of it is kept nowhere.
    let failing_far = generator(
        &plan,
        &native(|_, call| {
            if number(call.asked, 8).abs() > 1e5 {
                Err(ScriptFailure::new(std::io::Error::other("far")))
            } else {
                Ok(values(call.asked, |_, _, _| 1.0))
            }
        }),
    );
    for _ in 0..2 {
        script_error(failing_far.chunk(ChunkId::new(10_000, 0)));
    }
    failing_far.chunk(ChunkId::new(0, 0)).unwrap();
}

#[test]
fn a_field_is_left_out_where_its_bounds_decide() {
    let script = native(|_, call| Ok(values(call.asked, |_, _, _| 0.5)));
    let mut plan = with_field(plan(), 0.0, 1.0);
    // Nowhere is the ground lower than what the script gives at most.
    plan.nodes.insert("high".into(), Node::Affine { of: "land".into(), scale: 0.01, offset: 100.0 });
    plan.nodes.insert("sum".into(), Node::Max { of: vec!["high".into(), "bumps".into()] });
    let made = generator(&plan, &script);
    made.chunk(ChunkId::new(3, 4)).unwrap();
    assert_eq!(script.starts.load(Ordering::Relaxed), 0);
}

#[test]
fn a_field_in_space_is_told_how_high_places_are() {
    let ball = native(|_, call| {
        Ok(values(call.asked, |x, y, z| {
            let square = (x - 16.0) * (x - 16.0) + (y - 16.0) * (y - 16.0) + (z - 16.0) * (z - 16.0);
            (10.0 - square.sqrt()) as f32
        }))
    });
    let mut plan = plan();
    plan.scatter.clear();
    let script =
        Node::Script { script: "s".into(), parameters: Vec::new(), dimensions: 3, low: -1e6, high: 10.0, fuel: 10_000 };
    plan.nodes.insert("ball".into(), script);
    plan.volume = Some(Volume { density: "ball".into(), cells: 32, spacing: 1.0 });
    let made = generator(&plan, &ball);
    let part = made.volume(VolumeId::new(0, 0, 0)).unwrap();
    assert!(part.mesh.triangles() > 1000);
    let share = part.stats.solid;
    assert!((0.1..0.15).contains(&share), "{share}");
    assert_eq!(made.densities(VolumeId::new(0, 0, 0)).unwrap()[0], (10.0 - 768f64.sqrt()) as f32);
    let broken = generator(&plan, &failing());
    assert_eq!(script_error(broken.volume(VolumeId::new(0, 0, 0))).place, "volume.density: script \"ball\"");
    script_error(broken.densities(VolumeId::new(0, 0, 0)));
}

#[test]
fn a_generators_meshes_stand_in_the_chunk_and_its_scene() {
    let plan = with_generator(plan());
    let made = generator(&plan, &stones());
    let chunk = made.chunk(ChunkId::new(-2, 3)).unwrap();
    let [generated] = &chunk.generated[..] else { panic!("one generator") };
    let [mesh] = &generated.meshes[..] else { panic!("one mesh") };
    assert!(mesh.name.starts_with("stones_"));
    assert_eq!(mesh.mesh.normals, [[0.0, 1.0, 0.0]; 3]);
    assert_eq!((mesh.look.double_sided, mesh.look.emission), (true, [2.0, 1.0, 0.0]));
    let rows: Vec<f32> = mesh.transforms.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    let height = chunk.heights[8 * 17 + 8];
    assert_eq!(rows, [2.0, 0.0, 0.0, 16.0, 0.0, 2.0, 0.0, height, 0.0, 0.0, 2.0, 16.0]);

    let props = props(&plan).unwrap();
    let scene = scene::of_chunk(&plan, &chunk, &chunk.instances, &props);
    validate(&scene, &Limits::default()).unwrap();
    let material = &scene.materials[scene.meshes.last().unwrap().surfaces[0].material.unwrap()];
    assert_eq!((material.emissive, material.emissive_strength), ([1.0, 0.5, 0.0], 2.0));
    assert!(glb::write(&scene).unwrap().len() > 1000);

    let coarse = made.chunk(ChunkId { level: 1, ..ChunkId::new(0, 0) }).unwrap();
    assert_eq!(coarse.generated[0].meshes[0].name, mesh.name);
    let coarser = made.chunk(ChunkId { level: 2, ..ChunkId::new(0, 0) }).unwrap();
    assert!(coarser.generated.is_empty());
}

#[test]
fn a_failure_names_its_place_and_is_nobody_elses() {
    let sometimes = native(|_, call| match call.asked[0] {
        1 => Ok(values(call.asked, |x, _, _| if x > 1000.0 { f32::NAN } else { 1.0 })),
        _ if call.x == 0 => Err(ScriptFailure::new(std::io::Error::other("no fuel left"))),
        _ => Ok(triangle(&[[1.0, 1.0, 1.0]])),
    });
    let plan = with_generator(with_field(plan(), 0.0, 6.0));
    let made = generator(&plan, &sometimes);
    let error = script_error(made.chunk(ChunkId::new(40, 0)));
    assert_eq!(
        (error.place.as_str(), error.script.as_str()),
        ("terrain.height: add \"sum\".of > script \"bumps\"", "s")
    );
    assert!(matches!(error.fault, ScriptFault::Value { value, low: 0.0, high: 6.0, .. } if value.is_nan()));
    assert!(error.to_string().contains("the script \"s\" gave NaN at (12"), "{error}");
    let error = script_error(made.chunk(ChunkId::new(0, 0)));
    assert_eq!(error.to_string(), "generators[0] \"stones\": the script \"s\" failed: no fuel left");
    let ScriptFault::Failed(failure) = &error.fault else { panic!("{error}") };
    assert!(failure.cause::<std::io::Error>().is_some() && failure.cause::<std::fmt::Error>().is_none());
    made.chunk(ChunkId::new(1, 0)).unwrap();
    let mut heights = [0.0; 2];
    assert!(made.heights(&[1.0, 2000.0], &[0.0, 0.0], &mut heights).is_err());
    made.heights(&[1.0, 2.0], &[0.0, 0.0], &mut heights).unwrap();
    let view = View { scatter: false, ..View::new([0.0, 0.0], 4000.0, 64) };
    assert!(made.preview(&view).unwrap_err().to_string().starts_with("terrain.height: add"));
    // Things of generators aren't drawn, and their scripts not called.
    assert!(made.preview(&View { metres: 100.0, scatter: true, ..view }).is_ok());
}

#[test]
fn after_its_first_failure_a_script_is_not_called_again_in_a_job() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let script = native(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Err(ScriptFailure::new(std::io::Error::other("no")))
    });
    let plan = with_generator(with_field(plan(), 0.0, 6.0));
    script_error(generator(&plan, &script).chunk(ChunkId::new(0, 0)));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

/// What a script answers.
type Answer = dyn Fn(&ScriptCall<'_>) -> Vec<u8> + Send + Sync;

#[test]
fn answers_that_a_field_may_not_give_are_refused() {
    let places = |call: &ScriptCall<'_>| (call.asked.len() - 8) / 24;
    let cases: [(&str, Box<Answer>); 6] = [
        ("answered 0 bytes", Box::new(|_| Vec::new())),
        ("bytes for", Box::new(move |call| vec![0; 4 * places(call) - 1])),
        ("bytes for", Box::new(move |call| vec![0; 4 * places(call) + 4])),
        ("gave inf", Box::new(move |call| f32::INFINITY.to_le_bytes().repeat(places(call)))),
        ("gave 6.5", Box::new(move |call| 6.5f32.to_le_bytes().repeat(places(call)))),
        ("gave -0.1", Box::new(move |call| (-0.1f32).to_le_bytes().repeat(places(call)))),
    ];
    for (words, answer) in cases {
        let made = generator(&with_field(plan(), 0.0, 6.0), &native(move |_, call| Ok(answer(call))));
        let error = script_error(made.chunk(ChunkId::new(0, 0))).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn scripts_of_a_plan_are_checked_with_their_places() {
    let field = |change: fn(&mut Node)| {
        let mut plan = with_field(plan(), 0.0, 6.0);
        change(plan.nodes.get_mut("bumps").unwrap());
        plan
    };
    let rule = |change: fn(&mut GeneratorRule)| {
        let mut plan = with_generator(plan());
        change(&mut plan.generators[0]);
        plan
    };
    let source = |digest: &str| {
        let mut plan = plan();
        plan.scripts.insert("s".into(), ScriptSource { digest: digest.into() });
        plan
    };
    fn set(node: &mut Node, to: (f32, f32), of: u64, with: usize, named: &str) {
        let Node::Script { script, parameters, low, high, fuel, .. } = node else { panic!() };
        (*script, *low, *high, *fuel) = (named.into(), to.0, to.1, of);
        *parameters = vec![ScriptValue::Null; with];
    }
    let cases = [
        (field(|node| set(node, (1.0, 1.0), 1000, 0, "s")), "script \"bumps\": low is 1, allowed: less than high"),
        (field(|node| set(node, (f32::NAN, 1.0), 1000, 0, "s")), "script \"bumps\": low is NaN"),
        (field(|node| set(node, (0.0, 2e6), 1000, 0, "s")), "script \"bumps\": high is 2000000"),
        (field(|node| set(node, (0.0, 1.0), 99, 0, "s")), "script \"bumps\": fuel is 99, allowed: 100 to 1000000"),
        (field(|node| set(node, (0.0, 1.0), 1_000_001, 0, "s")), "script \"bumps\": fuel is 1000001"),
        (field(|node| set(node, (0.0, 1.0), 1000, 65, "s")), "script \"bumps\": parameters is a list of 65"),
        (field(|node| set(node, (0.0, 1.0), 1000, 0, "t")), "script \"bumps\": the plan has no script \"t\""),
        (rule(|rule| rule.script = "t".into()), "generators[0].script: the plan has no script \"t\""),
        (rule(|rule| rule.level = 9), "generators[0].level is 9, allowed: 0 to 6"),
        (rule(|rule| rule.fuel = 999), "generators[0].fuel is 999"),
        (rule(|rule| rule.fuel = 1_000_000_001), "generators[0].fuel is 1000000001"),
        (rule(|rule| rule.name = "n".repeat(65)), "generators[0].name is 65, allowed: at most 64 bytes"),
        (
            rule(|rule| rule.parameters = vec![ScriptValue::Text("t".repeat(4097))]),
            "generators[0].parameters is a text of 4097 bytes, allowed: texts of at most 4096 bytes",
        ),
        (source("abc"), "scripts.s.digest is \"abc\", allowed: 64 hexadecimal digits"),
        (source(&"A".repeat(64)), "scripts.s.digest is \"AAAA"),
    ];
    let given = GivenScript { digest: digest(), script: Arc::new(bumps()) };
    let given = BTreeMap::from([("s".to_string(), given)]);
    for (plan, words) in cases {
        let error = Generator::with_scripts(plan, &given).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let missing = Generator::new(plan()).unwrap_err().to_string();
    assert_eq!(missing, "scripts.s: the script's bytes were not given with the plan");
    let other = Generator::with_scripts(source(&"0".repeat(64)), &given).unwrap_err().to_string();
    assert!(other.starts_with("scripts.s: another script was given: the SHA-256 of its bytes is 0123"), "{other}");
    let mut volume = with_generator(Plan::empty(1));
    volume.scripts = plan().scripts;
    let words = "generators: the plan has no terrain for it to stand on";
    assert_eq!(Generator::with_scripts(volume, &given).unwrap_err().to_string(), words);
}

#[test]
fn plans_with_scripts_are_stored_and_their_code_is_in_every_key() {
    let plan = with_generator(with_field(plan(), 0.0, 6.0));
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
    let text = r#"{"version": 1, "seed": 1, "scripts": {"s": {"digest": "D"}}, "nodes": {"n": {"op": "script", "script": "s",
        "low": 0, "high": 1, "parameters": [1, 1.0, "a", null, true]}}, "terrain": {"height": "n"}}"#;
    let text = text.replace('D', &digest());
    let error = Plan::from_json(&text).unwrap_err().to_string();
    assert!(error.contains("a parameter is a number, a text or null"), "{error}");
    let read = Plan::from_json(&text.replace(", true", "")).unwrap();
    let Node::Script { parameters, fuel, dimensions, .. } = &read.nodes["n"] else { panic!() };
    let all = [ScriptValue::Integer(1), ScriptValue::Real(1.0), ScriptValue::Text("a".into()), ScriptValue::Null];
    assert_eq!((&parameters[..], *fuel, *dimensions), (&all[..], 10_000, 2));
    assert_eq!(Plan::from_json(&read.to_json()).unwrap(), read);

    let key = |digest: &str| {
        let mut plan = plan.clone();
        plan.scripts.insert("s".into(), ScriptSource { digest: digest.into() });
        let given = GivenScript { digest: digest.into(), script: Arc::new(bumps()) };
        let made = Generator::with_scripts(plan, &BTreeMap::from([("s".into(), given)])).unwrap();
        made.key(&ChunkId::new(1, 2)).unwrap()
    };
    assert_eq!(key(&digest()), key(&digest()));
    assert_ne!(key(&digest()), key(&"0".repeat(64)));
}

#[test]
fn what_scripts_make_is_the_same_bytes() {
    let field = generator(&with_field(plan(), -6.0, 6.0), &bumps()).chunk(ChunkId::new(2, -1)).unwrap();
    let chunk = generator(&with_generator(plan()), &stones()).chunk(ChunkId::new(5, 6)).unwrap();
    let mesh = &chunk.generated[0].meshes[0];
    let found = [
        ("field".to_string(), chunk_hash(&field)),
        ("generator".to_string(), support::hash(&[mesh.name.as_bytes(), &mesh.transforms])),
    ];
    support::check(&found, &GOLDEN);
}

const GOLDEN: [u64; 2] = [
    0xC18A_FBF5_1CDD_CDA7, // field
    0x175D_B77D_ED81_C605, // generator
];
