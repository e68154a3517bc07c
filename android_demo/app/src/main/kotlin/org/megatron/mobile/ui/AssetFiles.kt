package org.megatron.mobile.ui

import android.content.res.AssetManager
import org.megatron.mobile.detector.ArtifactFiles
import java.io.FileNotFoundException
import java.io.InputStream

/** The artefact folder that `python -m export --bundle` put into the app's assets. */
class AssetFiles(private val assets: AssetManager) : ArtifactFiles {
    override fun open(path: String): InputStream? = try {
        assets.open(path)
    } catch (_: FileNotFoundException) {
        null
    }

    override fun below(folder: String): List<String> = assets.list(folder).orEmpty().flatMap { name ->
        // Assets do not tell files from folders; a folder without anything in it does not exist there.
        val inside = below("$folder/$name")
        if (inside.isEmpty()) listOf(name) else inside.map { "$name/$it" }
    }
}
