# What size a convolution's result has: padding, stride, dilation and transposition, drawn on grids and checked by computing.
# %% [labels]
# en = lt
# photograph = nuotrauka
# horizontal edges = horizontalios briaunos
# by hand minus by Sasuka = rankinis skaičiavimas minus Sasuka
# valid: padding 0 = valid: užpildymas 0
# same: padding 1 = same: užpildymas 1
# full: padding 2 = full: užpildymas 2
# input size = įvesties dydis
# output size = išvesties dydis
# stride = žingsnis
# same_upper: the odd one below and on the right = same_upper: nelyginis taškas apačioje ir dešinėje
# same_lower: the odd one above and on the left = same_lower: nelyginis taškas viršuje ir kairėje
# dilation 1 = išplėtimas 1
# dilation 2 = išplėtimas 2
# combinations of sizes checked; the formula and the library disagree in = patikrinta dydžių derinių; formulė ir biblioteka nesutampa
# cases = atvejais
# largest difference = didžiausias skirtumas
# kernel = branduolys
# zeros = nuliai
# contributions = indėliai
# mirrored = atspindys
# edge repeated = kartojamas kraštas
# [1, 1, height, width]: a photograph in grey, 0 to 1, every second pixel. = [1, 1, aukštis, plotis]: pilka nuotrauka, nuo 0 iki 1, kas antras taškas.
# x: [height, width], w: [k, k]; no padding. = x: [aukštis, plotis], w: [k, k]; be užpildymo.
# What a layer of Sasuka makes of x with the given kernel. = Ką su nurodytu branduoliu iš x padaro Sasuka sluoksnis.
# 31 - 1 pixels are lost, 15 on each side were added = 31 - 1 taškų prarasta, po 15 iš kiekvienos pusės pridėta
# %% [markdown] en
# # Convolution arithmetic
#
# A convolutional network is a chain of maps, and each layer must hand on a map of a size that the next one can use.
# Whether a network fits together, how much memory it takes and what each of its values sees of the picture follow from
# five numbers for each axis: the size of the input $i$, of the kernel $k$, the padding $p$, the stride $s$ and the
# dilation $d$.
#
# In this notebook we compute a convolution by hand, find the formula for the size of its result, draw its variants on
# squared paper, and let the library check every claim.
# %% [markdown] lt
# # Sąsūkos aritmetika
#
# Sąsūkų (konvoliucinis, angl. *convolutional*) tinklas yra žemėlapių grandinė, ir kiekvienas sluoksnis turi perduoti tokio dydžio žemėlapį, kokį gali priimti
# kitas. Ar tinklo dalys dera, kiek reikia atminties ir kurią vaizdo dalį mato kiekviena reikšmė, lemia penki skaičiai
# kiekvienai ašiai: įvesties dydis $i$, branduolio dydis $k$, užpildymas $p$, žingsnis $s$ ir išplėtimas $d$.
#
# Šiame sąsiuvinyje sąsūką apskaičiuosime ranka, rasime jos rezultato dydžio formulę, jos atmainas nubraižysime languotame
# popieriuje, o kiekvieną teiginį patikrinsime biblioteka.
# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

import sasuka
from sasuka import nn, plots

plots.set_language("en")

# [1, 1, height, width]: a photograph in grey, 0 to 1, every second pixel.
photo = load_sample_image("china.jpg").mean(axis=2)[::2, ::2].astype(np.float32)[None, None] / 255
photo.shape
# %% [markdown] en
# ## One convolution, by hand
#
# What networks call a convolution is, strictly speaking, a cross-correlation: the kernel $w$ is laid on the picture $x$,
# values are multiplied pair by pair, and the sum is one pixel of the result:
#
# $$y[r, c] = b + \sum_{m} \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} w[m, u, v] \; x[m,\; r s + u d,\; c s + v d],$$
#
# where $m$ runs over the channels. The function below is this formula and nothing else. The library does the same faster;
# both must agree up to rounding.
# %% [markdown] lt
# ## Viena sąsūka, apskaičiuota ranka
#
# Tai, kas tinkluose vadinama sąsūka, griežtai kalbant yra kryžminė koreliacija: sąsūkos branduolys (angl. *kernel*) $w$ uždedamas ant vaizdo
# $x$, reikšmės poromis sudauginamos, ir jų suma yra vienas rezultato taškas:
#
# $$y[r, c] = b + \sum_{m} \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} w[m, u, v] \; x[m,\; r s + u d,\; c s + v d],$$
#
# čia $m$ perbėga kanalus. Žemiau parašyta funkcija yra ši formulė ir nieko daugiau. Biblioteka daro tą patį greičiau; abu
# rezultatai turi sutapti iki apvalinimo paklaidos.
# %%
def convolve(x, w, stride=1, dilation=1):
    """x: [height, width], w: [k, k]; no padding."""
    k = len(w)
    rows, columns = ((size - dilation * (k - 1) - 1) // stride + 1 for size in x.shape)
    y = np.zeros((rows, columns))
    for u, v in np.ndindex(k, k):
        top, left = u * dilation, v * dilation
        y += w[u, v] * x[top : top + stride * rows : stride, left : left + stride * columns : stride][:rows, :columns]
    return y


def layer_result(layer, x, weight):
    """What a layer of Sasuka makes of x with the given kernel."""
    model = nn.Sequential(layer).model(x.shape[1:])
    model.load_state_dict({"0.weight": weight})
    return model(x)


sobel = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], dtype=np.float32)
ours = convolve(photo[0, 0].astype(float), sobel)
theirs = layer_result(nn.Conv2d(1, 1, 3, bias=False), photo, sobel[None, None])[0, 0]

figure, axes = plt.subplots(1, 3, figsize=(13, 3.4), layout="constrained")
axes[0].imshow(photo[0, 0], cmap="gray")
axes[0].set_title("photograph")
edges = axes[1].imshow(theirs, cmap="RdBu_r", vmin=-2, vmax=2)
axes[1].set_title("horizontal edges")
shown = axes[2].imshow(ours - theirs, cmap="RdBu_r")
axes[2].set_title("by hand minus by Sasuka")
figure.colorbar(edges, ax=axes[1], shrink=0.8)
figure.colorbar(shown, ax=axes[2], shrink=0.8)
for ax in axes:
    ax.set_axis_off()
print("largest difference", np.abs(ours - theirs).max())
assert np.abs(ours - theirs).max() < 1e-5
# %% [markdown] en
# The kernel of Sobel answers where the picture gets darker or lighter from top to bottom: roofs and shorelines are
# drawn, vertical edges are not. A network learns such kernels by itself.
#
# The result is two pixels smaller each way than the photograph: the kernel must lie within the picture wholly, so that
# there are only $i - k + 1$ places for it along each axis.
#
# ## Padding: valid, same, full
#
# **Padding** puts zeros around the picture. Three choices have names:
#
# | name | padding of each side, $s = 1$, odd $k$ | size of the result |
# |---|---|---|
# | valid | $p = 0$ | $i - k + 1$ |
# | same | $p = (k - 1) / 2$ | $i$ |
# | full | $p = k - 1$ | $i + k - 1$ |
# %% [markdown] lt
# Sobelio branduolys parodo, kur iš viršaus į apačią vaizdas tamsėja ar šviesėja: stogai ir krantai nubrėžti, o
# vertikalios briaunos ne. Tinklas tokius branduolius išmoksta pats.
#
# Rezultatas kiekviena kryptimi dviem taškais mažesnis už nuotrauką: visas branduolys turi tilpti vaizde, tad išilgai
# kiekvienos ašies jam yra tik $i - k + 1$ vieta.
#
# ## Užpildymas: valid, same, full
#
# **Užpildymas** (angl. *padding*) apjuosia vaizdą nuliais. Trys jo rūšys turi vardus:
#
# | vardas | užpildymas kiekvienoje pusėje, kai $s = 1$, o $k$ nelyginis | rezultato dydis |
# |---|---|---|
# | valid | $p = 0$ | $i - k + 1$ |
# | same | $p = (k - 1) / 2$ | $i$ |
# | full | $p = k - 1$ | $i + k - 1$ |
# %%
figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
for ax, padding, title in zip(axes, (0, 1, 2), ("valid: padding 0", "same: padding 1", "full: padding 2")):
    plots.convolution_arithmetic(5, 3, padding=padding, ax=ax)
    ax.set_title(title)
# %% [markdown] en
# Zeros are not neutral: to the network they are a black frame. A blurring kernel shows it — near the border the average
# takes in zeros, and the photograph gets a dark rim. Padding that mirrors the picture or repeats its edge leaves none.
# %% [markdown] lt
# Nuliai nėra neutralūs: tinklui tai juodi rėmai. Tai parodo suliejantis branduolys – prie krašto į vidurkį patenka nuliai,
# ir nuotrauka įgauna tamsų apvadą. Jei užpildoma vaizdo atspindžiu arba kartojant jo kraštą, apvado nelieka.
# %%
size = 31
blur = np.full((1, 1, size, size), 1 / size**2, dtype=np.float32)
half = size // 2
figure, axes = plt.subplots(1, 3, figsize=(13, 3.2), layout="constrained")
for ax, padding, title in zip(
    axes,
    (nn.ZeroPad2d(half), nn.ReflectionPad2d(half), nn.ReplicationPad2d(half)),
    ("zeros", "mirrored", "edge repeated"),
):
    model = nn.Sequential({"pad": padding, "blur": nn.Conv2d(1, 1, size, bias=False)}).model(photo.shape[1:])
    model.load_state_dict({"blur.weight": blur})
    result = model(photo)
    assert result.shape == photo.shape  # 31 - 1 pixels are lost, 15 on each side were added
    ax.imshow(result[0, 0], cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
    ax.set_axis_off()
# %% [markdown] en
# ## Stride
#
# With **stride** $s$ the kernel moves $s$ pixels at a time, and the map shrinks about $s$ times. The window begins at
# $0, s, 2s, \dots$ as long as it fits; what does not fit is dropped — hence the rounding down in
#
# $$o = \left\lfloor \frac{i + p_\text{before} + p_\text{after} - d\,(k - 1) - 1}{s} \right\rfloor + 1.$$
#
# Both pictures below give a map of $3 \times 3$ for $k = 3$, $s = 2$: inputs of 7 and of 8 pixels. In the second one, the last
# row and the last column are never looked at.
# %% [markdown] lt
# ## Žingsnis
#
# Kai **žingsnis** (angl. *stride*) yra $s$, branduolys kaskart pasislenka per $s$ taškų, ir žemėlapis sumažėja maždaug $s$
# kartų. Langas prasideda taškuose $0, s, 2s, \dots$, kol telpa; kas netelpa, atmetama – todėl formulėje apvalinama žemyn:
#
# $$o = \left\lfloor \frac{i + p_\text{prieš} + p_\text{po} - d\,(k - 1) - 1}{s} \right\rfloor + 1.$$
#
# Abiejuose brėžiniuose, kai $k = 3$ ir $s = 2$, gaunamas $3 \times 3$ žemėlapis: iš 7 ir iš 8 taškų įvesties. Antrajame į
# paskutinę eilutę ir paskutinį stulpelį niekada nepažvelgiama.
# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
for ax, i in zip(axes, (7, 8)):
    plots.convolution_arithmetic(i, 3, stride=2, at=(2, 2), ax=ax)

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
sizes = np.arange(5, 30)
for s in (1, 2, 3):
    ax.step(sizes, [sasuka.window_output_size(int(i), 3, s, 1) for i in sizes], where="mid", label=f"stride {s}")
ax.set_xlabel("input size")
ax.set_ylabel("output size")
ax.legend(frameon=False)
ax.grid(alpha=0.3)
# %% [markdown] en
# The stairs are why the sizes of a network are chosen with care. $224 = 7 \cdot 2^5$ is halved five times without a
# remainder; with 225 pixels some layer drops or adds a row, and a decoder that doubles sizes again no longer meets the
# maps on its way back.
#
# ## Padding that is not symmetric
#
# With an even kernel, or with a stride, "same" may need an odd number of zeros along an axis: one side gets one more.
# PyTorch and ONNX's `SAME_UPPER` put it below and on the right, `SAME_LOWER` above and on the left. The two results are
# *shifted by one pixel* — weights trained with one of them give other numbers with the other. Sasuka also takes all four
# sides: `padding=(top, bottom, left, right)`.
# %% [markdown] lt
# Dėl šių laiptelių tinklo dydžiai parenkami apgalvotai. $224 = 7 \cdot 2^5$ penkis kartus dalijasi pusiau be liekanos; jei
# taškų 225, kuris nors sluoksnis eilutę atmeta ar prideda, ir dekoderis, vėl dvigubinantis dydžius, grįždamas nebesutinka
# tokių pat žemėlapių.
#
# ## Nesimetriškas užpildymas
#
# Kai branduolys lyginis arba žingsnis didesnis už 1, „same“ gali reikėti nelyginio nulių skaičiaus: viena pusė gauna vienu
# daugiau. PyTorch ir ONNX `SAME_UPPER` jį deda apačioje ir dešinėje, `SAME_LOWER` – viršuje ir kairėje. Abu rezultatai
# vienas kito atžvilgiu *pasislinkę per tašką*: svoriai, išmokti su vienu, su kitu duoda kitus skaičius. Sasuka priima ir
# visas keturias puses atskirai: `padding=(top, bottom, left, right)`.
# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
for ax, mode, title in zip(
    axes,
    ("same_upper", "same_lower"),
    ("same_upper: the odd one below and on the right", "same_lower: the odd one above and on the left"),
):
    plots.convolution_arithmetic(6, 3, stride=2, padding=mode, ax=ax)
    ax.set_title(title)
    before, after = sasuka.resolve_padding(mode, 6, 3, stride=2)
    print(f"{mode}: {before}, {after}")
# %% [markdown] en
# ## Dilation
#
# With **dilation** $d$ the kernel's elements stand $d$ pixels apart, so that it covers $d(k-1)+1$ pixels with no more
# weights and no more multiplications (Yu and Koltun, 2016). Its result has the size of that of a kernel as large as what it
# covers.
# %% [markdown] lt
# ## Išplėtimas
#
# Kai **išplėtimas** (angl. *dilation*) yra $d$, branduolio elementai stovi kas $d$ taškų, tad jis aprėpia $d(k-1)+1$ taškų,
# nors svorių ir daugybos veiksmų nepadaugėja (Yu ir Koltun, 2016). Rezultato dydis toks, koks būtų branduolio, lygaus aprėpiamam
# plotui.
# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
for ax, d, title in zip(axes, (1, 2), ("dilation 1", "dilation 2")):
    plots.convolution_arithmetic(7, 3, dilation=d, at=(1, 1), ax=ax)
    ax.set_title(title)
# %% [markdown] en
# ## Is the formula right?
#
# It is easily checked: all combinations of some sizes, kernels, strides, dilations and unequal paddings are handed to a
# real layer, which is run. Where the kernel does not fit, the library refuses with a message; these cases are left out.
# %% [markdown] lt
# ## Ar formulė teisinga?
#
# Tai nesunku patikrinti: visi kelių dydžių, branduolių, žingsnių, išplėtimų ir nevienodų užpildymų deriniai duodami tikram
# sluoksniui, ir jis paleidžiamas. Jei branduolys netelpa, biblioteka atsisako ir pasako kodėl; šie atvejai praleidžiami.
# %%
def output_size(i, k, s, before, after, d):
    return (i + before + after - d * (k - 1) - 1) // s + 1


count = disagree = 0
for i, k, s, before, after, d in itertools.product((5, 8, 9), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (0, 1), (1, 2)):
    if i + before + after < d * (k - 1) + 1:
        continue
    layer = nn.Conv2d(1, 1, k, stride=s, padding=(before, after, before, after), dilation=d)
    result = layer.model((1, i, i))(np.zeros((1, 1, i, i), dtype=np.float32))
    disagree += result.shape != (1, 1) + 2 * (output_size(i, k, s, before, after, d),)
    count += 1
print(f"{count} combinations of sizes checked; the formula and the library disagree in {disagree} cases")
assert disagree == 0

try:
    nn.Conv2d(1, 1, 7).model((1, 5, 5))
except sasuka.SasukaError as error:
    print(error)
# %% [markdown] en
# ## Transposed convolution
#
# Segmentation networks and generators must enlarge maps again. A **transposed convolution** sends each value of its input
# through the kernel to where a convolution would have read it from; overlapping contributions are added. If a convolution
# is written as a matrix, $y = C x$, the transposed one is $x' = C^\top y$. That is also what the gradient of a convolution with
# respect to its input is. Its size is
#
# $$o = (i - 1)\,s - p_\text{before} - p_\text{after} + d\,(k - 1) + 1 + p_\text{output}.$$
#
# It can be drawn as an ordinary convolution: between the input's pixels stand $s - 1$ zeros, around them $k - 1 - p$, and the
# kernel, turned by half a circle, slides with stride 1. The *output padding* settles what rounding down has lost: both 5 and 6
# pixels become 3 with $k = 3$, $s = 2$, $p = 1$, so that on the way back one of them must be named.
# %% [markdown] lt
# ## Transponuotoji sąsūka
#
# Segmentavimo tinklai ir generatoriai žemėlapius turi vėl padidinti. **Transponuotoji sąsūka** kiekvieną savo įvesties
# reikšmę per branduolį siunčia ten, iš kur sąsūka ją būtų skaičiusi; persidengiantys indėliai sudedami. Jei sąsūką
# užrašytume matrica, $y = C x$, transponuotoji būtų $x' = C^\top y$. Toks pat yra ir sąsūkos gradientas jos įvesties
# atžvilgiu. Jos dydis
#
# $$o = (i - 1)\,s - p_\text{prieš} - p_\text{po} + d\,(k - 1) + 1 + p_\text{išvesties}.$$
#
# Ją galima nubraižyti kaip paprastą sąsūką: tarp įvesties taškų stovi po $s - 1$ nulį, aplink juos po $k - 1 - p$, o 180°
# kampu pasuktas branduolys slenka žingsniu 1. *Išvesties užpildymas* grąžina tai, ką prarado apvalinimas žemyn: kai
# $k = 3$, $s = 2$, $p = 1$, ir 5, ir 6 taškai virsta 3, tad grįžtant reikia pasakyti, kuris iš jų norimas.
# %%
figure, axes = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
plots.transposed_arithmetic(3, 3, stride=2, padding=1, at=(1, 1), ax=axes[0])
plots.transposed_arithmetic(3, 3, stride=2, padding=1, output_padding=1, at=(5, 5), ax=axes[1])

random = np.random.default_rng(0)
weight = random.standard_normal((1, 1, 3, 3), dtype=np.float32)
y = random.standard_normal((1, 1, 3, 3), dtype=np.float32)
transposed = layer_result(nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, bias=False), y, weight)

forward = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1, bias=False)).model((1, 5, 5))
forward.load_state_dict({"0.weight": weight})
gradient = forward.gradients(np.zeros((1, 1, 5, 5), dtype=np.float32), ["input"], seed=y)["input"]
print("largest difference", np.abs(transposed - gradient).max())
assert transposed.shape == (1, 1, 5, 5) and np.allclose(transposed, gradient, atol=1e-6)
# %% [markdown] en
# The transposed convolution of $y$ and the gradient of the convolution, seeded with $y$, are the same numbers.
#
# Because contributions overlap, they may overlap *unevenly*. A kernel of ones on a map of ones counts how many
# contributions each pixel gets: with $k = 3$, $s = 2$ it is 1, 2 or 4 in turn — the checkerboard known from generated pictures
# (Odena, Dumoulin and Olah, 2016). With $k = 4$, a multiple of the stride, each pixel away from the edge gets as many.
# %% [markdown] lt
# Žemėlapio $y$ transponuotoji sąsūka ir sąsūkos gradientas, pradėtas nuo $y$, yra tie patys skaičiai.
#
# Kadangi indėliai persidengia, jie gali persidengti *netolygiai*. Vienetų branduolys vienetų žemėlapyje suskaičiuoja, kiek
# indėlių gauna kiekvienas taškas: kai $k = 3$, $s = 2$, pakaitomis 1, 2 arba 4 – tai iš generuotų vaizdų žinoma šachmatų
# lenta (Odena, Dumoulin ir Olah, 2016). Kai $k = 4$, žingsnio kartotinis, visi taškai atokiau nuo krašto gauna po lygiai.
# %%
ones = np.ones((1, 1, 8, 8), dtype=np.float32)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for ax, k in zip(axes, (3, 4)):
    counts = layer_result(nn.ConvTranspose2d(1, 1, k, stride=2, bias=False), ones, np.ones((1, 1, k, k), dtype=np.float32))
    shown = ax.imshow(counts[0, 0], cmap="viridis", vmin=0, vmax=4)
    ax.set_title(f"kernel {k} x {k}")
    ax.set_axis_off()
figure.colorbar(shown, ax=axes, ticks=range(5), label="contributions")
inner = counts[0, 0, 2:-2, 2:-2]
assert inner.min() == inner.max() == 4
# %% [markdown] en
# ## What to take along
#
# - One formula gives all sizes; transposition is the same formula read backwards, with a remainder to name.
# - "Same" keeps the size for odd kernels and stride 1; else it is not symmetric, and frameworks differ by one pixel.
# - Zeros around a picture are a black frame that the network sees.
# - Dilation buys a larger view for nothing; transposed convolutions need $k$ to be a multiple of $s$ to be even.
#
# ## Questions and exercises
#
# 1. A picture of $224 \times 224$ goes through $k = 7$, $s = 2$, $p = 3$, then a pooling of $k = 3$, $s = 2$, $p = 1$: what size
#    has the map? Check with `sasuka.window_output_size`, and with `sasuka.create_model("resnet18").layers()`.
# 2. Which paddings keep the size with $k = 5$, $d = 3$, $s = 1$?
# 3. For which input sizes does $k = 3$, $s = 2$, $p = 1$ halve exactly?
# 4. How many layers of $3 \times 3$ see as far as one of $11 \times 11$? Use `sasuka.receptive_field`.
# 5. Turn the Sobel kernel by a quarter; what is drawn now? What does the sum of the squares of both results show?
# 6. Write `convolve` for a padding of four numbers, and compare it with the library as above.
# %% [markdown] lt
# ## Ką įsiminti
#
# - Visus dydžius duoda viena formulė; transponavimas yra ta pati formulė, skaitoma atgal, tik reikia nurodyti liekaną.
# - „Same“ išlaiko dydį, kai branduolys nelyginis, o žingsnis 1; kitais atvejais jis nesimetriškas, ir programų bibliotekos
#   skiriasi vienu tašku.
# - Nuliai aplink vaizdą yra juodi rėmai, kuriuos tinklas mato.
# - Išplėtimas nemokamai praplečia matymo lauką; transponuotoji sąsūka tolygi tik tada, kai $k$ yra $s$ kartotinis.
#
# ## Klausimai ir užduotys
#
# 1. $224 \times 224$ vaizdas pereina sluoksnį, kurio $k = 7$, $s = 2$, $p = 3$, paskui sutelkimą, kurio $k = 3$, $s = 2$,
#    $p = 1$: kokio dydžio žemėlapis? Patikrinkite su `sasuka.window_output_size` ir su
#    `sasuka.create_model("resnet18").layers()`.
# 2. Koks užpildymas išlaiko dydį, kai $k = 5$, $d = 3$, $s = 1$?
# 3. Kokio dydžio įvestį sluoksnis, kurio $k = 3$, $s = 2$, $p = 1$, sumažina lygiai perpus?
# 4. Kiek $3 \times 3$ sluoksnių mato taip toli, kaip vienas $11 \times 11$? Pasinaudokite `sasuka.receptive_field`.
# 5. Pasukite Sobelio branduolį 90° kampu; kas dabar nubrėžta? Ką rodo abiejų rezultatų kvadratų suma?
# 6. Parašykite `convolve` keturių skaičių užpildymui ir palyginkite ją su biblioteka, kaip padaryta aukščiau.
