package org.megatron.mobile.ui

import android.graphics.Bitmap
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.megatron.mobile.detector.Label
import org.megatron.mobile.media.CheckReport
import org.megatron.mobile.media.Checked
import org.megatron.mobile.media.CheckedWindow
import org.megatron.mobile.media.FrameCost
import org.megatron.mobile.media.Picture
import java.io.File

/** What of a check outlives the process, in [folder]: `running.json`, or `finished.json` with pictures beside it. */
class CheckShelf(private val folder: File) {
    private val runningFile = File(folder, "running.json")
    private val finishedFile = File(folder, "finished.json")

    /** A check that the end of the process interrupted, and how often it had been started. */
    data class Interrupted(val video: VideoRef, val starts: Int)

    /** A check of [video] begins, for the [starts]-th time: the former one is forgotten. */
    fun begin(video: VideoRef, starts: Int) {
        clear()
        write(runningFile, written(video).put("starts", starts).toString())
    }

    /** Nothing runs and nothing is finished. */
    fun clear() {
        folder.listFiles()?.forEach(File::delete)
    }

    /** The check that was running when the process ended, if any. */
    fun running(): Interrupted? = read(runningFile) { Interrupted(videoOf(it), it.getInt("starts")) }

    /** The verdict that was finished, if any. */
    fun finished(): UiState.Check.Finished? = read(finishedFile, ::finishedOf)

    /** Write the pictures of [checked]; the state that names them, not yet kept. */
    fun picture(video: VideoRef, checked: Checked): UiState.Check.Finished = UiState.Check.Finished(
        video = video,
        report = checked.report,
        postcard = checked.postcard?.let { save("postcard.png", it) },
        faces = checked.faces.mapIndexed { index, face -> FaceFile(face.timeMs, save("face_$index.png", face.picture)) },
    )

    /** [finished] takes the place of the running check. */
    fun keep(finished: UiState.Check.Finished) {
        write(finishedFile, written(finished).toString())
        runningFile.delete()
    }

    private fun save(name: String, picture: Picture): String {
        folder.mkdirs()
        val file = File(folder, name)
        val bitmap = Bitmap.createBitmap(picture.pixels, picture.width, picture.height, Bitmap.Config.ARGB_8888)
        file.outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
        bitmap.recycle()
        return file.path
    }

    private fun write(file: File, text: String) {
        folder.mkdirs()
        val pending = File(folder, "${file.name}.partial")
        pending.writeText(text)
        pending.renameTo(file)
    }

    /** Null as well for what another version of the app wrote: a verdict that cannot be read is none. */
    private fun <T> read(file: File, parse: (JSONObject) -> T): T? = try {
        if (file.isFile) parse(JSONObject(file.readText())) else null
    } catch (_: JSONException) {
        null
    } catch (_: IllegalArgumentException) {
        null
    }
}

private fun written(video: VideoRef) = JSONObject().put("uri", video.uri).put("name", video.name)

private fun videoOf(json: JSONObject) = VideoRef(json.getString("uri"), json.getString("name"))

private fun written(finished: UiState.Check.Finished): JSONObject {
    val report = finished.report
    return JSONObject()
        .put("video", written(finished.video))
        .put("label", report.label.name)
        .put("fake_probability", report.fakeProbability)
        .put("threshold", report.threshold)
        .put("coverage", report.coverage)
        .put("frames", report.frames)
        .put("duration_ms", report.durationMs)
        .put("ends_early", report.endsEarly)
        .put("windows", JSONArray(report.windows.map(::written)))
        .put("decode_ms", report.cost.decodeMs)
        .put("face_ms", report.cost.faceMs)
        .put("look_ms", report.cost.lookMs)
        .put("postcard", finished.postcard)
        .put("faces", JSONArray(finished.faces.map { JSONObject().put("time_ms", it.timeMs).put("file", it.file) }))
}

private fun written(window: CheckedWindow) = JSONObject()
    .put("start_ms", window.startMs)
    .put("end_ms", window.endMs)
    .put("coverage", window.coverage)
    .put("fake_probability", window.fakeProbability)

private fun finishedOf(json: JSONObject) = UiState.Check.Finished(
    video = videoOf(json.getJSONObject("video")),
    report = CheckReport(
        label = Label.valueOf(json.getString("label")),
        fakeProbability = json.numberOrNull("fake_probability"),
        threshold = json.getDouble("threshold"),
        coverage = json.getDouble("coverage"),
        frames = json.getInt("frames"),
        durationMs = json.getDouble("duration_ms"),
        endsEarly = json.getBoolean("ends_early"),
        windows = json.getJSONArray("windows").objects().map(::windowOf),
        cost = FrameCost(json.getDouble("decode_ms"), json.getDouble("face_ms"), json.getDouble("look_ms")),
    ),
    postcard = if (json.has("postcard")) json.getString("postcard") else null,
    faces = json.getJSONArray("faces").objects().map { FaceFile(it.getDouble("time_ms"), it.getString("file")) },
)

private fun windowOf(json: JSONObject) = CheckedWindow(
    json.getDouble("start_ms"), json.getDouble("end_ms"), json.getDouble("coverage"), json.numberOrNull("fake_probability"),
)

private fun JSONObject.numberOrNull(name: String): Double? = if (has(name)) getDouble(name) else null

private fun JSONArray.objects(): List<JSONObject> = (0 until length()).map(::getJSONObject)
