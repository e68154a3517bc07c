package org.megatron.mobile.runtime

import org.megatron.mobile.detector.ArtifactFiles
import org.megatron.mobile.detector.ArtifactRow
import org.megatron.mobile.detector.sha256Of
import java.io.File
import java.io.IOException

/**
 * The program as a plain file, which is what the runtime loads: copied from [files] to [folder] once, under its hash, and
 * checked there again. A copy of another program is removed. Throws [IOException] where it cannot be written whole.
 */
fun programFile(files: ArtifactFiles, program: ArtifactRow, folder: File): File {
    val file = File(folder, "${program.sha256}.pte")
    if (file.isFile && file.length() == program.sizeBytes && sha256Of(file.inputStream()) == program.sha256) return file
    folder.mkdirs()
    folder.listFiles()?.forEach(File::delete)
    val pending = File(folder, "${file.name}.partial")
    val stream = files.open(program.path) ?: throw IOException("${program.path} is missing")
    stream.use { from -> pending.outputStream().use { from.copyTo(it) } }
    if (sha256Of(pending.inputStream()) != program.sha256) throw IOException("${program.path} was not copied whole")
    if (!pending.renameTo(file)) throw IOException("${file.name} cannot be put in place")
    return file
}
