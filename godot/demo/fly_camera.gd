extends Camera3D
## A camera to fly with: W, A, S and D, Q and E for down and up, the mouse to look while a button is held, its wheel for the speed,
## Shift to go four times as fast.

const _SLOWEST := 1.0
const _FASTEST := 500.0
const _TURN := 0.003

## Metres a second.
var speed := 30.0
## Whether keys and mouse count.
var is_steered := true


func _unhandled_input(event: InputEvent) -> void:
	if not is_steered:
		return
	if event is InputEventMouseButton:
		var button: InputEventMouseButton = event
		match button.button_index:
			MOUSE_BUTTON_WHEEL_UP:
				speed = minf(speed * 1.2, _FASTEST)
			MOUSE_BUTTON_WHEEL_DOWN:
				speed = maxf(speed / 1.2, _SLOWEST)
			_:
				Input.mouse_mode = Input.MOUSE_MODE_CAPTURED if button.pressed else Input.MOUSE_MODE_VISIBLE
	elif event is InputEventMouseMotion and Input.mouse_mode == Input.MOUSE_MODE_CAPTURED:
		var motion: InputEventMouseMotion = event
		rotation.y -= motion.relative.x * _TURN
		rotation.x = clampf(rotation.x - motion.relative.y * _TURN, -1.5, 1.5)


func _process(delta: float) -> void:
	if not is_steered:
		return
	var wish := Vector3(_pressed(KEY_D) - _pressed(KEY_A), _pressed(KEY_E) - _pressed(KEY_Q), _pressed(KEY_S) - _pressed(KEY_W))
	var way := basis * Vector3(wish.x, 0, wish.z) + Vector3(0, wish.y, 0)
	if way.length() > 0.0:
		position += way.normalized() * speed * delta * (4.0 if Input.is_key_pressed(KEY_SHIFT) else 1.0)


func _pressed(key: Key) -> float:
	return 1.0 if Input.is_physical_key_pressed(key) else 0.0
