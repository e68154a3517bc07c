package org.megatron.mobile.ui

import android.app.Activity
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TextView
import org.megatron.mobile.R
import java.io.Closeable

/** A screen draws the app's state while it is seen, and keeps nothing that must not be lost. */
abstract class Screen : Activity() {
    private val watched = ArrayList<Closeable>()

    protected val app: MegatronApp get() = application as MegatronApp

    protected val wording by lazy { Wording(resources) }

    /** Draw what the state is now. */
    protected abstract fun render()

    /** The states that this screen draws. */
    protected abstract fun states(): List<Observed<*>>

    override fun onStart() {
        super.onStart()
        states().mapTo(watched) { state -> state.watch { render() } }
    }

    override fun onStop() {
        watched.forEach(Closeable::close)
        watched.clear()
        super.onStop()
    }

    /** What is wrong with the bundled model, null while nothing is known to be. */
    protected fun refusal(): String? = (app.model.state.value as? UiState.Model.Refused)?.why?.sentence(resources)

    protected fun <V : View> find(id: Int): V = findViewById(id)

    protected fun show(id: Int, isShown: Boolean) {
        find<View>(id).visibility = if (isShown) View.VISIBLE else View.GONE
    }

    /** Show [text]; null hides the view. A view that says so already is left alone: TalkBack would say it again. */
    protected fun say(id: Int, text: String?) {
        val view = find<TextView>(id)
        if (text != null && view.text.toString() != text) view.text = text
        show(id, text != null)
    }

    /** A card with a heading, at the end of [parent]. */
    protected fun section(parent: ViewGroup, title: String): LinearLayout {
        val card = layoutInflater.inflate(R.layout.section, parent, false) as LinearLayout
        card.findViewById<TextView>(R.id.section_title).text = title
        parent.addView(card)
        return card
    }

    protected fun sentence(card: ViewGroup, text: String): TextView {
        val view = layoutInflater.inflate(R.layout.sentence, card, false) as TextView
        view.text = text
        card.addView(view)
        return view
    }

    /** A name and its value, read as one by TalkBack. */
    protected fun fact(card: ViewGroup, name: Int, value: String) {
        val view = layoutInflater.inflate(R.layout.fact, card, false)
        view.findViewById<TextView>(R.id.fact_name).setText(name)
        view.findViewById<TextView>(R.id.fact_value).text = value
        card.addView(view)
    }
}
