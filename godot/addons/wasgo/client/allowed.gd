@tool
extends RefCounted
## Lists of what the sidecar may reach, and whether something is on one.
##
## An entry is the path of a node from the root of the scene, its parts parted by [code]/[/code], where [code]*[/code] stands for any one
## part and [code].[/code] alone for the root; for methods, [code]:[/code] and the name of one follow. Nothing in a path leads upwards.

const _MAX_PATH := 1024


## Whether [param entries] have the node at [param path].
static func node(entries: PackedStringArray, path: String) -> bool:
	if not is_path(path):
		return false
	for entry: String in entries:
		if _fits(entry, path):
			return true
	return false


## Whether [param entries] have [param method] of the node at [param path].
static func method(entries: PackedStringArray, path: String, method_name: String) -> bool:
	if method_name == "" or not is_path(path):
		return false
	for entry: String in entries:
		var colon := entry.rfind(":")
		if colon > 0 and entry.substr(colon + 1) == method_name and _fits(entry.left(colon), path):
			return true
	return false


## Whether [param path] leads downwards from the root, by the names of nodes alone.
static func is_path(path: String) -> bool:
	if path == ".":
		return true
	if path.length() > _MAX_PATH:
		return false
	for part: String in path.split("/"):
		if part == "" or part == "." or part == ".." or part.contains(":") or part.contains("%"):
			return false
	return true


static func _fits(pattern: String, path: String) -> bool:
	if not pattern.contains("*"):
		return pattern == path
	var wanted := pattern.split("/")
	var parts := path.split("/")
	if wanted.size() != parts.size() or path == ".":
		return false
	for i: int in wanted.size():
		if wanted[i] != "*" and wanted[i] != parts[i]:
			return false
	return true


## Where paths start, for a client that is [param below] it: the root of the scene that runs, or that of the tree where no scene was set.
static func root_of(below: Node) -> Node:
	var tree := below.get_tree()
	if tree == null:
		return null
	var scene := tree.edited_scene_root if Engine.is_editor_hint() else tree.current_scene
	return scene if scene != null else tree.root as Node
