// Lasting changes that the rules have accepted as normal, and the way back.

import { get, post, segment } from "./api.js";
import { time } from "./clock.js";
import { h } from "./dom.js";

// Fills `box` with the accepted changes of a series; hides it when there are none.
export async function showShifts(box, name) {
  const shifts = (await get(`series/${segment(name)}/level-shifts`)).data;
  box.hidden = shifts.length === 0;
  if (box.hidden) return;
  const failure = h("p", { class: "note bad", role: "alert", hidden: true });
  const undo = async () => {
    try {
      await post(`series/${segment(name)}/level-shifts/undo`);
      setTimeout(() => showShifts(box, name).catch(() => {}), 1500);
    } catch (error) {
      failure.textContent = error.message;
      failure.hidden = false;
    }
  };
  box.replaceChildren(h("h2", { id: "shifts" }, "Accepted as the new normal"),
    h("ul", { class: "sentences" }, shifts.map((shift) => h("li", {}, time(shift.at), ": ", shift.sentence, "."))), failure,
    shifts.some((shift) => shift.undone_at === null) ? h("div", { class: "row" }, h("button", { type: "button", onclick: undo }, "Take it back"), h("span", { class: "soft" }, "Then what was learned counts as normal again, and the change may open an alert.")) : "");
}
