@tool
extends EditorPlugin
## Lists Wasgo among the project's plugins.
##
## [WasgoClient] and [WasgoWorld3D] are global classes with icons of their own: they are in
## the "Create New Node" window as soon as the folder is copied, with or without the plugin.

const ICON := "icons/wasgo_world_3d.svg"


func _get_plugin_name() -> String:
	return "Wasgo"


func _get_plugin_icon() -> Texture2D:
	# A folder that was just copied has not been imported yet.
	var path := (get_script() as Script).resource_path.get_base_dir().path_join(ICON)
	return load(path) as Texture2D if ResourceLoader.exists(path, "Texture2D") else null
