# A fully connected layer turned into a convolution: one run over a large picture in place of one for each window.
# %% [labels]
# en = lt
# digit windows = langai su skaitmenimis
# a scene it has not seen = tinklo nematyta scena
# map of digits = skaitmenų žemėlapis
# found digits = rasti skaitmenys
# all windows, one by one = visi langai po vieną
# all windows, one batch = visi langai vienu paketu
# one run over the picture = vienas perėjimas per vaizdą
# milliseconds = milisekundės
# million multiply-adds = milijonai daugybos ir sudėties veiksmų
# probability = tikimybė
# sky = dangus
# water = vanduo
# trees = medžiai
# pagoda = pagoda
# what the network learns from = iš ko tinklas mokosi
# what it sees = ką jis mato
# nothing = nieko
# accuracy on digits it has not seen: = tikslumas su nematytais skaitmenimis:
# map of scores: = įverčių žemėlapis:
# largest score: = didžiausias įvertis:
# largest difference: = didžiausias skirtumas:
# found and named rightly: = rasta ir teisingai įvardyta:
# found, named wrongly: = rasta, bet įvardyta klaidingai:
# not found: = nerasta:
# found where there is nothing: = rasta ten, kur nieko nėra:
# without padding = be užpildymo
# with padding = su užpildymu
# windows where both name the same class: = langai, kuriuose klasė sutampa:
# Sizes along the way: 34 -> 32 -> 16 -> 14 -> 7, without any padding. = Dydžiai pakeliui: 34 -> 32 -> 16 -> 14 -> 7, be jokio užpildymo.
# A canvas with digits that do not overlap, and (row, column, digit) of each. = Drobė su nepersidengiančiais skaitmenimis ir kiekvieno jų (eilutė, stulpelis, skaitmuo).
# Windows of canvases and their classes. = Drobių langai ir jų klasės.
# The second window looks past the digit, unless it happens to meet it or another one. = Antrasis langas žiūri pro skaitmenį, nebent atsitiktinai pataikytų į jį ar į kitą.
# (row, column, digit, probability) of each top, the surest first. = Kiekvienos viršūnės (eilutė, stulpelis, skaitmuo, tikimybė), pradedant labiausiai tikėtina.
# Draws a map over a picture, each of its pixels around the middle of the window that it belongs to. = Ant vaizdo nubraižo žemėlapį, kiekvieną jo tašką – aplink jį atitinkančio lango vidurį.
# The largest difference of window and map as a share of the largest score, and how often both name the same class. = Didžiausias lango ir žemėlapio skirtumas, palyginti su didžiausiu įverčiu, ir kaip dažnai sutampa klasė.
# (top, bottom, left, right) in pixels. = (viršus, apačia, kairė, dešinė) taškais.
# %% [markdown] en
# # Convolution in place of fully connected layers
#
# A classifier answers one question about a picture of one size: *which class is it?* Often we want to ask it everywhere:
# where on this page are the digits, which part of the photograph is a tree? The obvious way is to cut out a window, ask, move on
# a few pixels, ask again. Windows overlap, so almost everything is computed many times over.
#
# There is a better way, and it costs no training at all: the network already is a convolution, if one looks at its last layers
# in the right way. Sermanet and colleagues used it in OverFeat (2013), Long, Shelhamer and Darrell built segmentation on it
# (2014). In this notebook we
#
# 1. train a small classifier of digits,
# 2. turn its fully connected layers into convolutions of 7 × 7 and 1 × 1, with the same numbers,
# 3. check that one run over a large picture gives what all windows give one by one, and compare the time,
# 4. find the digits on a canvas, and paint what the network sees over a photograph.
# %% [markdown] lt
# # Sąsūka vietoj visiškai sujungtų sluoksnių
#
# Klasifikatorius atsako į vieną klausimą apie vieno dydžio vaizdą: *kuri tai klasė?* Dažnai norime to klausti visur:
# kurioje puslapio vietoje yra skaitmenys, kuri nuotraukos dalis yra medis? Akivaizdus būdas – iškirpti langą, paklausti,
# pasislinkti per kelis taškus ir paklausti vėl. Langai persidengia, todėl beveik viskas skaičiuojama daug kartų.
#
# Yra geresnis būdas, kuriam nereikia jokio papildomo mokymo: tinklas jau yra sąsūka, jei į paskutinius jo sluoksnius
# pažvelgsime tinkamai. Sermanet su bendraautoriais tuo pasinaudojo tinkle OverFeat (2013), Long, Shelhamer ir Darrell tuo
# pagrindė vaizdų segmentavimą (2014). Šiame sąsiuvinyje
#
# 1. išmokysime nedidelį skaitmenų klasifikatorių,
# 2. jo visiškai sujungtus sluoksnius paversime 7 × 7 ir 1 × 1 sąsūkomis su tais pačiais svoriais,
# 3. patikrinsime, ar vienas perėjimas per didelį vaizdą duoda tą patį, ką visi langai po vieną, ir palyginsime laiką,
# 4. rasime skaitmenis drobėje ir nuspalvinsime nuotraukoje tai, ką mato tinklas.
# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from sklearn.datasets import load_digits, load_sample_image

import sasuka
from sasuka import nn, plots

plots.set_language("en")
# %% [markdown] en
# ## The theory in three lines
#
# A fully connected layer reads a feature map $x$ of $C \times 7 \times 7$ numbers, flattened, and computes for each of its outputs $k$
#
# $$y_k = b_k + \sum_{n=1}^{49\,C} W_{k,n}\, x_n = b_k + \sum_{c=1}^{C}\sum_{i=1}^{7}\sum_{j=1}^{7} W_{k,c,i,j}\; x_{c,i,j}.$$
#
# The right-hand side is a convolution with a kernel of $7 \times 7$ that fits into the map exactly once. Only the *shape* in which
# the weights are written down differs: $[K,\ 49\,C]$ or $[K,\ C,\ 7,\ 7]$. The next fully connected layer reads $K$ numbers,
# which are now $K$ channels of a map of $1 \times 1$: it is a convolution of $1 \times 1$. In VGG16 this concerns
# $7 \cdot 7 \cdot 512 \cdot 4096 = 102\,760\,448$ weights of the first such layer alone.
#
# If the picture is larger, the map is larger, the kernel of $7 \times 7$ fits in more often, and out comes a *map* of scores.
# Its neighbouring pixels belong to windows that lie as many input pixels apart as the strides multiply to; with two poolings of
# stride 2 these are $2 \cdot 2 = 4$.
# %% [markdown] lt
# ## Teorija trimis eilutėmis
#
# Visiškai sujungtas sluoksnis skaito ištiesintą požymių žemėlapį $x$ iš $C \times 7 \times 7$ skaičių ir kiekvienai išvesčiai $k$ apskaičiuoja
#
# $$y_k = b_k + \sum_{n=1}^{49\,C} W_{k,n}\, x_n = b_k + \sum_{c=1}^{C}\sum_{i=1}^{7}\sum_{j=1}^{7} W_{k,c,i,j}\; x_{c,i,j}.$$
#
# Dešinioji pusė yra sąsūka su $7 \times 7$ branduoliu, kuris žemėlapyje telpa lygiai vieną kartą. Skiriasi tik tai, kokia
# *forma* užrašyti svoriai: $[K,\ 49\,C]$ ar $[K,\ C,\ 7,\ 7]$. Kitas visiškai sujungtas sluoksnis skaito $K$ skaičių, kurie dabar
# yra $1 \times 1$ žemėlapio $K$ kanalų: tai $1 \times 1$ sąsūka. Tinkle VGG16 vien pirmajame tokiame sluoksnyje yra
# $7 \cdot 7 \cdot 512 \cdot 4096 = 102\,760\,448$ svorių.
#
# Jei vaizdas didesnis, didesnis ir žemėlapis, $7 \times 7$ branduolys jame telpa daugiau kartų, ir gauname įverčių
# *žemėlapį*. Gretimi jo taškai atitinka langus, kurie vienas nuo kito nutolę per tiek įvesties taškų, kiek gauname sudauginę
# visus žingsnius; jei yra du sutelkimo sluoksniai, kurių žingsnis 2, tai $2 \cdot 2 = 4$.
# %%
# Sizes along the way: 34 -> 32 -> 16 -> 14 -> 7, without any padding.
WINDOW = 34


def network(channels, classes):
    return nn.Sequential({
        "features": nn.Sequential(
            nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        ),
        "classifier": nn.Sequential(nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, classes)),
    }).model((channels, WINDOW, WINDOW), seed=1)


model = network(1, 11)
model.summary()
# %% [markdown] en
# ## A classifier of windows
#
# The data are the handwritten digits of scikit-learn (Alpaydin and Kaynak 1998), enlarged to 24 × 24 pixels and strewn over
# canvases. From canvases we cut windows of 34 × 34. A window shows digit 0 to 9 if its middle is near the middle of one;
# class 10 means *nothing is in the middle here*, and half of the windows are of that kind: without it the
# network would have to name a digit everywhere. The digits up to number 1300 are for training, the others for testing.
# %% [markdown] lt
# (Lenteles ir pranešimus biblioteka rašo angliškai, programavimo žodžiais: *layer* – sluoksnis, *operator* – operacija, *window* – langas
# (3x3 s1 p0 d1: branduolys, žingsnis, užpildymas, išplėtimas), *output* – išvestis, *field* – matymo laukas, *multiply-adds* – daugybos ir sudėties veiksmai.)
#
# ## Langų klasifikatorius
#
# Duomenys – bibliotekos scikit-learn ranka rašyti skaitmenys (Alpaydin ir Kaynak 1998), padidinti iki 24 × 24 taškų ir
# išbarstyti drobėse. Iš drobių iškerpame 34 × 34 langus. Lange yra skaitmuo nuo 0 iki 9, jei lango vidurys yra netoli
# skaitmens vidurio; klasė 10 reiškia *čia viduryje nieko nėra*, ir tokių langų – pusė: be jos tinklas turėtų
# įvardyti skaitmenį visur. Pirmieji 1300 skaitmenų skirti mokymui, kiti – testavimui.
# %%
NOTHING = 10
digits = load_digits()
graph = sasuka.Graph((1, 8, 8))
enlarge = graph.model(graph.resize(graph.input, size=24))
pictures = enlarge((digits.images[:, np.newaxis] / 16).astype(np.float32))[:, 0]


def scene(numbers, rng, height=150, width=230):
    """A canvas with digits that do not overlap, and (row, column, digit) of each."""
    canvas, found = np.zeros((height, width), np.float32), []
    for number in numbers:
        for _ in range(200):
            y, x = rng.integers(12, height - 11), rng.integers(12, width - 11)
            if all(max(abs(y - row), abs(x - column)) >= 26 for row, column, _ in found):
                canvas[y - 12 : y + 12, x - 12 : x + 12] = pictures[number]
                found.append((y, x, digits.target[number]))
                break
    return canvas, found


def windows(count, numbers, rng):
    """Windows of canvases and their classes."""
    cut, classes, half = [], [], WINDOW // 2
    while len(cut) < count:
        canvas, found = scene(rng.choice(numbers, 14), rng)
        for row, column, digit in found:
            # The second window looks past the digit, unless it happens to meet it or another one.
            for reach, label in ((3, digit), (17, NOTHING)):
                top = np.clip(row + rng.integers(-reach, reach + 1) - half, 0, canvas.shape[0] - WINDOW)
                left = np.clip(column + rng.integers(-reach, reach + 1) - half, 0, canvas.shape[1] - WINDOW)
                nearest = min(max(abs(top + half - y), abs(left + half - x)) for y, x, _ in found)
                if (nearest >= 7) if label == NOTHING else (nearest <= 3):
                    cut.append(canvas[top : top + WINDOW, left : left + WINDOW])
                    classes.append(label)
    return np.stack(cut[:count])[:, np.newaxis], np.array(classes[:count])


rng = np.random.default_rng(0)
train_windows, train_classes = windows(8000, np.arange(1300), rng)
test_windows, test_classes = windows(1000, np.arange(1300, 1797), rng)
names = [str(digit) for digit in range(10)] + ["nothing"]
ax = plots.pictures(train_windows[:20], titles=[names[number] for number in train_classes[:20]], columns=10)
ax.set_title("digit windows")
plt.show()
# %%
learner = sasuka.Learner(
    model, (train_windows, train_classes), valid=(test_windows, test_classes), batch_size=32, progress=False
)
learner.fit_one_cycle(5, 3e-3)
print("accuracy on digits it has not seen:", round(learner.evaluate().accuracy, 3))
# %% [markdown] en
# ## The same numbers, written as convolutions
#
# `make_convolutional` makes the new network. Nothing is learnt anew: the weights are the old ones in another shape, as the
# assertions below say of every single number.
# %% [markdown] lt
# ## Tie patys skaičiai, užrašyti kaip sąsūkos
#
# Naują tinklą sukuria `make_convolutional`. Niekas nemokoma iš naujo: svoriai yra tie patys, tik kitos formos, – tai
# apie kiekvieną skaičių patvirtina toliau esančios patikros.
# %%
slides = model.make_convolutional()
before, after = model.state_dict(), slides.state_dict()
for name in before:
    print(f"{name:<22} {str(before[name].shape):<18} {after[name].shape}")
    assert np.array_equal(before[name].ravel(), after[name].ravel())
# %%
test = np.random.default_rng(7)
canvas, found = scene(test.integers(1300, 1797, 20), test)
picture = canvas[np.newaxis, np.newaxis]
scores = slides(picture)
print("map of scores:", scores.shape)
# %% [markdown] en
# The map has as many pixels as windows fit in at steps of four: $\lfloor (150 - 34) / 4 \rfloor + 1 = 30$ by
# $\lfloor (230 - 34) / 4 \rfloor + 1 = 50$. Now the check that matters: window by window, the classifier against the map.
# %% [markdown] lt
# Žemėlapyje yra tiek taškų, kiek langų telpa kas keturis taškus: $\lfloor (150 - 34) / 4 \rfloor + 1 = 30$ ir
# $\lfloor (230 - 34) / 4 \rfloor + 1 = 50$. Dabar svarbiausia patikra: langas po lango, klasifikatorius prieš žemėlapį.
# %%
STEP = 4
corners = [(STEP * row, STEP * column) for row in range(scores.shape[2]) for column in range(scores.shape[3])]
cut = np.stack([canvas[np.newaxis, top : top + WINDOW, left : left + WINDOW] for top, left in corners])
of_windows = np.concatenate([model(window[np.newaxis]) for window in cut])
of_map = scores[0].reshape(11, -1).T
print("largest score:", np.abs(of_windows).max())
print("largest difference:", np.abs(of_windows - of_map).max())
assert np.abs(of_windows - of_map).max() < 1e-5 * np.abs(of_windows).max()
# %% [markdown] en
# The differences are those of rounding: sums of float32 numbers added in another order. And the time? Each is the
# least of five measurements; the network runs on one thread.
# %% [markdown] lt
# Skirtumai – tik apvalinimo: tos pačios float32 sumos, sudėtos kita tvarka. O laikas? Kiekvienas yra mažiausias iš
# penkių matavimų; tinklas skaičiuoja viena gija.
# %%
def milliseconds(function):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


single = model.session(cut[:1].shape, threads=1)
whole_batch = model.session(cut.shape, threads=1)
over_picture = slides.session(picture.shape, threads=1)
times = {
    "all windows, one by one": milliseconds(lambda: [single(window[np.newaxis]) for window in cut]),
    "all windows, one batch": milliseconds(lambda: whole_batch(cut)),
    "one run over the picture": milliseconds(lambda: over_picture(picture)),
}
of_window = sum(layer.multiply_adds for layer in model.layers())
work = [of_window * len(cut), of_window * len(cut), sum(layer.multiply_adds for layer in slides.layers(picture.shape))]
for (name, needed), products in zip(times.items(), work):
    print(f"{name:<30} {needed:8.1f} ms  {products / 1e6:8.0f} M")
figure, axes = plt.subplots(1, 2, figsize=(11, 2.4), layout="constrained", sharey=True)
for ax, values, title in zip(axes, (times.values(), np.array(work) / 1e6), ("milliseconds", "million multiply-adds")):
    ax.barh(list(times), list(values), color=["#0072B2", "#0072B2", "#D55E00"])
    ax.set_xlabel(title)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].invert_yaxis()
plt.show()
# %% [markdown] en
# ## Digits on a canvas
#
# The softmax of the scores says, for every fourth pixel, how sure the network is that a digit stands there. Where does a pixel of
# the map lie in the picture? The receptive field of the last layer says so: its size, its step and where the first one begins.
# Of each hill we keep the top: the surest place first, then the surest that is at least 16 pixels away from those already
# taken, and so on. The network has not seen any of these digits.
# %% [markdown] lt
# ## Skaitmenys drobėje
#
# Įverčių softmax funkcija kas ketvirtam taškui pasako, kiek tinklas įsitikinęs, kad ten yra skaitmuo. Kurioje vaizdo
# vietoje yra žemėlapio taškas? Tai pasako paskutinio sluoksnio matymo laukas: jo dydis, žingsnis ir pirmojo lauko pradžia.
# Iš kiekvienos kalvos paliekame viršūnę: pirma ta vieta, kuria tinklas labiausiai įsitikinęs, paskui labiausiai tikėtina iš
# tų, kurios nuo jau paimtų nutolusios bent per 16 taškų, ir taip toliau. Nė vieno iš šių skaitmenų tinklas nėra matęs.
# %%
field = slides.layers(picture.shape)[-1].receptive_field[0]
print(field)


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=0))
    return shifted / shifted.sum(axis=0)


def detect(logits, least=0.6, apart=16):
    """(row, column, digit, probability) of each top, the surest first."""
    probabilities = softmax(logits)[:NOTHING]
    best, taken = probabilities.max(axis=0), []
    for place in np.argsort(-best, axis=None):
        row, column = np.unravel_index(place, best.shape)
        if best[row, column] < least:
            break
        y, x = (field.start + field.step * at + (field.size - 1) / 2 for at in (row, column))
        if all(max(abs(y - v), abs(x - u)) >= apart for v, u, *_ in taken):
            taken.append((y, x, probabilities[:, row, column].argmax(), best[row, column]))
    return taken


def over(ax, picture, values, step, start, size, **look):
    """Draws a map over a picture, each of its pixels around the middle of the window that it belongs to."""
    ax.imshow(picture, cmap="gray")
    low = start + (size - 1) / 2 - step / 2
    high, right = (low + step * count for count in values.shape)
    drawn = ax.imshow(values, extent=(low, right, high, low), **look)
    ax.set_xlim(-0.5, picture.shape[1] - 0.5)
    ax.set_ylim(picture.shape[0] - 0.5, -0.5)
    ax.set_axis_off()
    return drawn


figure, axes = plt.subplots(1, 3, figsize=(15, 3.6), layout="constrained")
axes[0].imshow(canvas, cmap="gray")
axes[0].set_axis_off()
heat = softmax(scores[0])[:NOTHING].sum(axis=0)
drawn = over(axes[1], canvas, heat, field.step, field.start, field.size, cmap="inferno", alpha=0.75, vmin=0, vmax=1)
figure.colorbar(drawn, ax=axes[1], shrink=0.8)
axes[2].imshow(canvas, cmap="gray")
axes[2].set_axis_off()
true = {(row, column): digit for row, column, digit in found}
for y, x, digit, probability in detect(scores[0]):
    close = [value for (row, column), value in true.items() if max(abs(row - y), abs(column - x)) < 10]
    colour = "#4FD1A5" if close == [digit] else "#FF5A5A"
    axes[2].add_patch(Rectangle((x - 12, y - 12), 24, 24, fill=False, edgecolor=colour, linewidth=1.5))
    axes[2].text(x - 12, y - 13, str(digit), color=colour, weight="bold", va="bottom")
for ax, title in zip(axes, ("a scene it has not seen", "map of digits", "found digits")):
    ax.set_title(title)
plt.show()
# %% [markdown] en
# One canvas proves little. Thirty of them, each in a single run:
# %% [markdown] lt
# Viena drobė mažai ką įrodo. Štai trisdešimt, kiekviena vienu perėjimu:
# %%
right = wrong = missed = extra = 0
for _ in range(30):
    canvas_, found_ = scene(test.integers(1300, 1797, 20), test)
    detected = detect(slides(canvas_[np.newaxis, np.newaxis])[0])
    for row, column, digit in found_:
        near = [name for y, x, name, _ in detected if max(abs(row - y), abs(column - x)) < 10]
        right += digit in near
        wrong += bool(near) and digit not in near
        missed += not near
    extra += sum(all(max(abs(row - y), abs(column - x)) >= 10 for row, column, _ in found_) for y, x, *_ in detected)
print("found and named rightly:", right)
print("found, named wrongly:", wrong)
print("not found:", missed)
print("found where there is nothing:", extra)
# %% [markdown] en
# ## What padding does to it
#
# Our network has no padding, so a window sees the same numbers whether it is cut out or not. Most networks pad: VGG surrounds
# the input of *each* convolution with zeros. Then the border of a cut-out window sees zeros, where the same place in the whole
# picture sees its neighbours. The map is no longer equal to the windows one by one, however it is
# computed; it is what the classifier says of a part of the *features*. Let us train the same network with padding on the same
# windows, cut to 28 × 28, and count how often the two name the same class.
# %% [markdown] lt
# ## Ką čia keičia užpildymas
#
# Mūsų tinkle užpildymo nėra, todėl langas mato tuos pačius skaičius ir iškirptas, ir neiškirptas. Dauguma tinklų užpildo:
# VGG *kiekvienos* sąsūkos įvestį apjuosia nuliais. Tada iškirpto lango pakraštys mato nulius, o ta pati vieta visame vaizde –
# savo kaimynus. Žemėlapis nebesutampa su atskirais langais, kad ir kaip skaičiuotume; jis yra tai, ką klasifikatorius sako apie
# dalį *požymių*. Išmokykime tą patį tinklą su užpildymu, naudodami tuos pačius langus, apkirptus iki 28 × 28, ir suskaičiuokime,
# kaip dažnai klasė sutampa.
# %%
padded = nn.Sequential({
    "features": nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    ),
    "classifier": nn.Sequential(nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 11)),
}).model((1, 28, 28), seed=1)
inner = np.s_[:, :, 3:31, 3:31]
learner = sasuka.Learner(padded, (train_windows[inner], train_classes), batch_size=32, progress=False)
learner.fit_one_cycle(3, 3e-3)


def agreement(classifier, size):
    """The largest difference of window and map as a share of the largest score, and how often both name the same class."""
    logits = classifier.make_convolutional()(picture)[0]
    corners = [(STEP * row, STEP * column) for row in range(logits.shape[1]) for column in range(logits.shape[2])]
    alone = classifier(np.stack([canvas[np.newaxis, top : top + size, left : left + size] for top, left in corners]))
    together = logits.reshape(11, -1).T
    return np.abs(alone - together).max() / np.abs(alone).max(), (alone.argmax(1) == together.argmax(1)).mean()


for name, classifier, size in (("without padding", model, 34), ("with padding", padded, 28)):
    difference, same = agreement(classifier, size)
    print(f"{name:<18} {difference:.1e}")
    print("windows where both name the same class:", round(float(same), 4))
# %% [markdown] en
# ## A heat map over a photograph
#
# The same network with three input channels now learns from one photograph. We mark a few rectangles of sky, water, trees and
# pagoda, cut windows of 34 × 34 out of them, and let it learn the four classes. Then it goes over the whole picture in one run.
# Nobody has told it where the outlines are.
# %% [markdown] lt
# ## Šilumos žemėlapis nuotraukoje
#
# Tas pats tinklas, tik su trimis įvesties kanalais, dabar mokosi iš vienos nuotraukos. Pažymime kelis stačiakampius su dangumi,
# vandeniu, medžiais ir pagoda, iškerpame iš jų 34 × 34 langus, ir tinklas išmoksta šias keturias klases. Tada jis vienu
# perėjimu apeina visą nuotrauką. Kur yra kontūrai, niekas jam nesakė.
# %%
photograph = load_sample_image("china.jpg")
# (top, bottom, left, right) in pixels.
regions = {
    "sky": [(5, 140, 430, 630), (5, 100, 10, 120)],
    "water": [(265, 310, 350, 560), (235, 295, 445, 540)],
    "trees": [(330, 425, 480, 610), (355, 425, 5, 120), (190, 300, 590, 640)],
    "pagoda": [(125, 225, 155, 300), (240, 335, 90, 330)],
}
classes = list(regions)
colours = ["#56B4E9", "#0072B2", "#009E73", "#D55E00"]
mean, deviation = photograph.mean((0, 1)) / 255, photograph.std((0, 1)) / 255
values = ((photograph / 255 - mean) / deviation).transpose(2, 0, 1).astype(np.float32)
rng = np.random.default_rng(0)
patches, labels = [], []
for label, boxes in enumerate(regions.values()):
    for number in range(400):
        top, bottom, left, right = boxes[number % len(boxes)]
        y, x = rng.integers(top, bottom - WINDOW + 1), rng.integers(left, right - WINDOW + 1)
        patches.append(values[:, y : y + WINDOW, x : x + WINDOW])
        labels.append(label)
colour_model = network(3, 4)
loader = sasuka.data.DataLoader(
    sasuka.data.ArrayDataset(np.stack(patches), np.array(labels)), 32, True, sasuka.transforms.RandomHorizontalFlip()
)
sasuka.Learner(colour_model, loader, progress=False).fit_one_cycle(5, 2e-3)
probabilities = softmax(colour_model.make_convolutional()(values[np.newaxis])[0])
print("map of scores:", probabilities.shape)
# %%
figure, axes = plt.subplots(2, 3, figsize=(15, 7), layout="constrained")
axes[0, 0].imshow(photograph)
for name, colour in zip(classes, colours):
    for top, bottom, left, right in regions[name]:
        axes[0, 0].add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=2))
    axes[0, 0].plot([], [], color=colour, linewidth=3, label=name)
axes[0, 0].legend(loc="lower right", fontsize=8)
axes[0, 0].set_title("what the network learns from")
axes[0, 0].set_axis_off()
palette = np.array([[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in colours])
place = field.step, field.start, field.size
blend = np.einsum("khw,kc->hwc", probabilities, palette)
low = field.start + (field.size - 1) / 2 - field.step / 2
extent = (low, low + field.step * blend.shape[1], low + field.step * blend.shape[0], low)
axes[1, 0].imshow(photograph.mean(2), cmap="gray")
axes[1, 0].imshow(blend, extent=extent, alpha=0.55)
axes[1, 0].set_xlim(0, photograph.shape[1])
axes[1, 0].set_ylim(photograph.shape[0], 0)
axes[1, 0].set_title("what it sees")
axes[1, 0].set_axis_off()
for ax, name, values_ in zip(axes[:, 1:].ravel(), classes, probabilities):
    drawn = over(ax, photograph, values_, *place, cmap="inferno", alpha=0.65, vmin=0, vmax=1)
    ax.set_title(name)
figure.colorbar(drawn, ax=axes[:, 2], shrink=0.6, label="probability")
plt.show()
# %% [markdown] en
# ## What to see
#
# - The scores of one run equal those of the windows to the last digits of float32 where nothing is padded. It is the same
#   network; only the bookkeeping changed.
# - One run needs a small part of the multiply-adds: what overlapping windows share is computed once. The gain grows with
#   the overlap, that is, with the window's area over the step's area.
# - With padding, the map and the windows differ, though they rarely disagree about the class.
# - Digits at the very edge are missed: no window has them in its middle. A frame of half a window around the canvas would help.
# - The map is coarse: one score for 4 × 4 pixels, and each score sees 34 × 34 of them, so that colours run over
#   outlines. Segmentation networks add finer maps of earlier layers to make them sharp.
# - Around the pagoda there is a seam of *water*: a window half sky and half roof is nothing that the network has learnt, but it must
#   name one of four classes. The digits' network has its class 10 for that.
#
# ## Exercises
#
# 1. Replace the two poolings by convolutions of stride 2 (`model.replace_max_pool()`) and run the check again. Does it still hold?
# 2. With three poolings the map has one pixel for 8 × 8. Run the network over the picture moved by 4 pixels as well, and
#    interleave both maps: OverFeat's trick. How many runs give back a step of 4 in both directions?
# 3. Enlarge the digits to 36 pixels and run the detector over a picture scaled by ⅔. Which scores are higher, and why?
# 4. Leave class 10 out of the training. What happens to the map of digits?
# 5. Compute the gain for VGG16 and a picture of 448 × 448 from `layers()` of `sasuka.create_model("vgg16")` and of its
#    convolutional form, without running either.
# %% [markdown] lt
# ## Ką pastebėti
#
# - Kai užpildymo nėra, vieno perėjimo įverčiai sutampa su langų įverčiais iki paskutinių float32 skaitmenų. Tai tas pats tinklas;
#   pasikeitė tik užrašymas.
# - Vienam perėjimui reikia tik nedidelės dalies daugybos ir sudėties veiksmų: kas persidengiantiems langams bendra, skaičiuojama
#   kartą. Nauda tuo didesnė, kuo langai labiau persidengia, t. y. kuo lango plotas didesnis už žingsnio plotą.
# - Su užpildymu žemėlapis ir langai skiriasi, nors dėl klasės nesutampa retai.
# - Prie pat krašto esantys skaitmenys nerandami: nėra lango, kurio viduryje jie būtų. Padėtų pusės lango pločio rėmelis aplink drobę.
# - Žemėlapis grubus: vienas įvertis 4 × 4 taškams, o kiekvienas įvertis mato 34 × 34 taškus, todėl spalvos išbėga už kontūrų.
#   Segmentavimo tinklai, kad kontūrai būtų ryškūs, prideda smulkesnius ankstesnių sluoksnių žemėlapius.
# - Aplink pagodą driekiasi *vandens* juosta: lango, kuriame pusė dangaus ir pusė stogo, tinklas nesimokė, bet vieną iš keturių klasių
#   įvardyti privalo. Skaitmenų tinklas tam turi 10 klasę.
#
# ## Užduotys
#
# 1. Abu sutelkimo sluoksnius pakeiskite sąsūkomis, kurių žingsnis 2 (`model.replace_max_pool()`), ir pakartokite patikrą. Ar ji tebegalioja?
# 2. Su trimis sutelkimo sluoksniais vienas žemėlapio taškas tenka 8 × 8 taškams. Leiskite tinklą ir per vaizdą, pastumtą per
#    4 taškus, ir abu žemėlapius supinkite: tai OverFeat gudrybė. Kelių perėjimų reikia, kad žingsnis abiem kryptimis vėl būtų 4?
# 3. Padidinkite skaitmenis iki 36 taškų ir leiskite detektorių per vaizdą, sumažintą iki ⅔. Kurie įverčiai didesni ir kodėl?
# 4. Mokydami nenaudokite 10 klasės. Kas nutinka skaitmenų žemėlapiui?
# 5. Apskaičiuokite naudą tinklui VGG16 ir 448 × 448 vaizdui iš `sasuka.create_model("vgg16")` ir jo sąsūkinės formos
#    `layers()`, neleisdami nė vieno iš jų.
