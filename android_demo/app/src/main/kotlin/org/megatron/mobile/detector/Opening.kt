package org.megatron.mobile.detector

import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest

/** The files of an artefact folder, wherever they lie: assets on a phone, a folder on a desk. Paths use `/`. */
interface ArtifactFiles {
    /** The file at [path], null where there is none. The caller closes it. */
    fun open(path: String): InputStream?

    /** Every file below [folder], by its path from there; empty where there is no such folder. */
    fun below(folder: String): List<String>
}

/** What came of opening an artefact folder. A refusal is a value: the screen turns it into a sentence. */
sealed interface Opening {
    /** Everything in it is what the manifest says, and may be run. */
    data class Opened(val manifest: Manifest, val program: ArtifactRow) : Opening

    sealed interface Refused : Opening

    /** There is no manifest: no artefact was put in. */
    data object Absent : Refused

    /** The manifest cannot be understood; [reason] is for the log. */
    data class Unreadable(val reason: String) : Refused

    /** The manifest is of another schema version than [SCHEMA_VERSION]; [found] as it stands there. */
    data class OtherVersion(val found: String) : Refused

    /** `fit: pad`, which is for training and comparison only. */
    data object PaddedFit : Refused

    /** Never trained: its answers mean nothing. */
    data object Untrained : Refused

    /** No artefact for the wanted runtime is preferred. */
    data class NoProgram(val target: String) : Refused

    /** Listed in the manifest, but not there. */
    data class Missing(val path: String) : Refused

    /** Its sha256 is not the manifest's. */
    data class Damaged(val path: String) : Refused
}

/**
 * Open the artefact folder that [files] give: read its manifest, check every file listed in it against its hash, and
 * find the preferred program. [target] is the runtime that will execute it. Reads everything once; not for a UI thread.
 */
fun openArtifact(files: ArtifactFiles, target: String = "executorch"): Opening = try {
    when (val read = readManifest(files)) {
        is ManifestRead.No -> read.because
        is ManifestRead.Yes -> checked(read.manifest, files, target)
    }
} catch (error: IOException) {
    Opening.Unreadable("${error.javaClass.simpleName}: ${error.message}")
}

private sealed interface ManifestRead {
    class Yes(val manifest: Manifest) : ManifestRead

    class No(val because: Opening.Refused) : ManifestRead
}

private fun readManifest(files: ArtifactFiles): ManifestRead {
    val stream = files.open(MANIFEST_FILE) ?: return ManifestRead.No(Opening.Absent)
    val text = stream.use { it.readBytes() }.toString(Charsets.UTF_8)
    return try {
        val document = JsonObject.read(text)
        val version = document.figure("schema_version")
        // The version comes first: another one may mean anything by its fields.
        if (version == SCHEMA_VERSION.toString()) ManifestRead.Yes(manifestOf(document))
        else ManifestRead.No(Opening.OtherVersion(version))
    } catch (fault: DocumentFault) {
        ManifestRead.No(Opening.Unreadable(fault.message ?: MANIFEST_FILE))
    }
}

private fun checked(manifest: Manifest, files: ArtifactFiles, target: String): Opening {
    if (manifest.preprocess.fit == PreprocessSpec.Fit.PAD) return Opening.PaddedFit
    if (!manifest.trained) return Opening.Untrained
    val program = manifest.preferred?.let(manifest::artifact)
    if (program == null || program.target != target) return Opening.NoProgram(target)
    val listed = manifest.artifacts.map { it.path to it.sha256 } +
        listOfNotNull(manifest.golden?.let { it to manifest.goldenSha256.orEmpty() })
    for ((path, sha256) in listed) {
        val found = sha256Of(files, path) ?: return Opening.Missing(path)
        if (found != sha256) return Opening.Damaged(path)
    }
    return Opening.Opened(manifest, program)
}

/** Hex digest of a file, or of a folder over its sorted "path sha256" lines; null where there is neither. */
fun sha256Of(files: ArtifactFiles, path: String): String? {
    files.open(path)?.let { return sha256Of(it) }
    val below = files.below(path)
    if (below.isEmpty()) return null
    val lines = below.map { "$it ${sha256Of(files.open("$path/$it") ?: return null)}\n" }.sorted()
    return hex(MessageDigest.getInstance("SHA-256").digest(lines.joinToString("").toByteArray()))
}

/** Hex digest of all that [stream] gives; closes it. */
fun sha256Of(stream: InputStream): String = stream.use {
    val digest = MessageDigest.getInstance("SHA-256")
    val buffer = ByteArray(1 shl 16)
    while (true) {
        val count = it.read(buffer)
        if (count < 0) break
        digest.update(buffer, 0, count)
    }
    hex(digest.digest())
}

private fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(java.util.Locale.ROOT, it) }
